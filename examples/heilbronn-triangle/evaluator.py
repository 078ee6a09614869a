"""Scores 11 points in a triangle by the smallest triangle that three of them span, as a share of the whole.

The triangle is (0, 0), (1, 0), (0, 1); a share does not depend on its form. All is computed anew from the numbers that the
program returns, as fractions, without rounding. The best published share is 0.0365298899; a higher one (ceiling 0.036531) is a
cheat until it is shown to be a discovery.
"""

import importlib.util
import math
from fractions import Fraction
from itertools import combinations

POINTS = 11


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


def smallest_share(points):
    """The smallest share of three points; raises if the points are not 11 of the triangle."""
    points = [tuple(exact(value) for value in point) for point in points]
    if len(points) != POINTS or any(len(point) != 2 for point in points):
        raise ValueError(f"not {POINTS} points of x and y")
    for i, (x, y) in enumerate(points):
        if x < 0 or y < 0 or x + y > 1:
            raise ValueError(f"point {i} is outside")
    # Twice the area of three points, by twice the area of the whole, which is 1.
    return float(min(abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]))
                     for a, b, c in combinations(points, 3)))


def evaluate(path):
    """`combined_score` is the smallest share."""
    return {"combined_score": smallest_share(load(path).run())}
