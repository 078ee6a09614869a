"""Scores a law by how well it foretells measurements that it has not seen, half of them beyond those that made it.

The truth is a damped swing around a shifted rest, 2.4 · exp(-0.17 t) · cos(1.9 t + 0.6) + 0.8, measured without noise. A law is
asked for all times at once and its answers are plain numbers; the program is never told what was measured, only its score.

The same law is then asked for times that are drawn anew in each evaluation. Answers that were written down for the known times
say nothing of those, and who is much better on what it could know scores nothing at all.
"""

import importlib.util
import math
import random

# Within 0 to 8 lies what a law is fitted to, beyond it what it must foretell.
TIMES = [0.13 + 0.4 * n for n in range(20)] + [8.21 + 0.4 * n for n in range(10)]

# Times around the known ones, so many for each, and how much lower the score on them may be.
AGAIN, SLACK = 10, 0.1


def truth(t):
    """What was measured at time t."""
    return 2.4 * math.exp(-0.17 * t) * math.cos(1.9 * t + 0.6) + 0.8


def load(path):
    """The candidate, as a module."""
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def error(times, answers):
    """The mean square error by the variance of what was measured: 1 for whoever answers the mean."""
    answers = list(answers)
    if len(answers) != len(times):
        raise ValueError(f"{len(answers)} answers to {len(times)} times")
    if any(type(a) not in (int, float) or not math.isfinite(a) for a in answers):
        raise ValueError("an answer is no finite number")
    measured = [truth(t) for t in times]
    mean = sum(measured) / len(measured)
    return sum((a - m) ** 2 for a, m in zip(answers, measured)) / sum((m - mean) ** 2 for m in measured)


def evaluate(path):
    """`combined_score` is 1 for the law itself and ½ for a law no better than the mean."""
    law = load(path)
    nmse = error(TIMES, law.run(list(TIMES)))
    # Nobody can foretell these.
    chance = random.SystemRandom()
    fresh = [t + chance.uniform(-0.1, 0.1) for t in TIMES for _ in range(AGAIN)]
    chance.shuffle(fresh)
    if 1.0 / (1.0 + nmse) > 1.0 / (1.0 + error(fresh, law.run(fresh))) + SLACK:
        raise ValueError("its answers fit the known times alone, so they are no law")
    return {"combined_score": 1.0 / (1.0 + nmse), "nmse": nmse}
