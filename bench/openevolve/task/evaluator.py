"""Scores a line by its distance from a few points; it costs next to nothing."""

import importlib.util

POINTS = [0.0, 1.0, 2.0, 3.0, 4.0]
HEIGHTS = [5.0, 12.0, 19.0, 26.0, 33.0]


def evaluate(path):
    """`combined_score` is 1 where the line meets all points and falls towards 0 with the mean distance."""
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    distances = [abs(a - b) for a, b in zip(module.predictions(POINTS), HEIGHTS, strict=True)]
    return {"combined_score": 1.0 / (1.0 + sum(distances) / len(distances))}
