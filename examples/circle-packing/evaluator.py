"""Scores a packing of 26 circles in the unit square by the sum of their radii, with exact arithmetic and no tolerance.

Everything is computed anew from the numbers that the program returns: a number with a point is a fraction, and fractions are
compared without rounding. The best known sum is 2.635983084919; a higher one (ceiling 2.63598309) is a cheat until it is
shown to be a discovery.
"""

import importlib.util
import math
from fractions import Fraction

CIRCLES = 26


def load(path):
    """The candidate, as a module."""
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exact(value):
    """The number as a fraction."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} is no finite number")
    return Fraction(value)


def strict_sum(circles):
    """The sum of the radii; raises if the circles are not a packing."""
    circles = [tuple(exact(value) for value in circle) for circle in circles]
    if len(circles) != CIRCLES or any(len(circle) != 3 for circle in circles):
        raise ValueError(f"not {CIRCLES} circles of x, y and radius")
    for i, (x, y, r) in enumerate(circles):
        if r < 0 or x < r or y < r or x + r > 1 or y + r > 1:
            raise ValueError(f"circle {i} is not inside")
        for j, (a, b, s) in enumerate(circles[:i]):
            if (x - a) ** 2 + (y - b) ** 2 < (r + s) ** 2:
                raise ValueError(f"circles {j} and {i} overlap")
    return float(sum(r for _, _, r in circles))


def evaluate(path):
    """`combined_score` is the sum of the radii."""
    return {"combined_score": strict_sum(load(path).run())}
