"""Scores a law by how well it foretells measurements that it has not seen, half of them beyond those that made it.

The truth is a damped swing around a shifted rest, 2.4 · exp(-0.17 t) · cos(1.9 t + 0.6) + 0.8, measured without noise. A law is
asked for all times at once and its answers are plain numbers; the program is never told what was measured, only its score.
"""

import importlib.util
import math

# Within 0 to 8 lies what a law is fitted to, beyond it what it must foretell.
TIMES = [0.13 + 0.4 * n for n in range(20)] + [8.21 + 0.4 * n for n in range(10)]


def truth(t):
    """What was measured at time t."""
    return 2.4 * math.exp(-0.17 * t) * math.cos(1.9 * t + 0.6) + 0.8


def load(path):
    """The candidate, as a module."""
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def error(answers):
    """The mean square error by the variance of what was measured: 1 for whoever answers the mean."""
    answers = list(answers)
    if len(answers) != len(TIMES):
        raise ValueError(f"{len(answers)} answers to {len(TIMES)} times")
    if any(type(a) not in (int, float) or not math.isfinite(a) for a in answers):
        raise ValueError("an answer is no finite number")
    measured = [truth(t) for t in TIMES]
    mean = sum(measured) / len(measured)
    return sum((a - m) ** 2 for a, m in zip(answers, measured)) / sum((m - mean) ** 2 for m in measured)


def evaluate(path):
    """`combined_score` is 1 for the law itself and ½ for a law no better than the mean."""
    nmse = error(load(path).run(TIMES))
    return {"combined_score": 1.0 / (1.0 + nmse), "nmse": nmse}
