"""Scores a search by how low it gets on a surface with many hollows, within a number of measurements."""

import importlib.util
import math

MEASUREMENTS = 400
LOWEST = (3.2, -1.7)


class Surface:
    """The surface; it counts how often it is measured and refuses to be measured too often."""

    def __init__(self):
        self.used = 0

    def __call__(self, x, y):
        self.used += 1
        if self.used > MEASUREMENTS:
            raise RuntimeError(f"more than {MEASUREMENTS} measurements")
        return depth(x, y)


def depth(x, y):
    """Height above the lowest point, which has height 0."""
    dx, dy = x - LOWEST[0], y - LOWEST[1]
    return 0.1 * (dx * dx + dy * dy) + 2.0 - math.cos(3.0 * dx) - math.cos(3.0 * dy)


def load(path):
    """The candidate, as a module."""
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(path):
    """The height reached and the measurements used."""
    surface = Surface()
    x, y = (float(value) for value in load(path).run(surface))
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("the point is not finite")
    return depth(x, y), surface.used


def evaluate_stage1(path):
    """A quick look: does it run at all, and end up no higher than where it began?"""
    height, _ = measure(path)
    return {"runs": 1.0, "combined_score": 1.0 if height <= depth(0.0, 0.0) else 0.0}


def evaluate_stage2(path):
    """The whole measure."""
    return evaluate(path)


def evaluate(path):
    """`combined_score` is 1 at the lowest point and falls towards 0 with the height above it."""
    height, used = measure(path)
    return {
        "combined_score": 1.0 / (1.0 + height),
        "height": height,
        "measurements": float(used),
    }
