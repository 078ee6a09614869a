"""A law for measurements of one quantity over time."""

import math

# EVOLVE-BLOCK-START
A = 1.0
B = 0.0
C = 1.0
D = 0.1
E = 0.0


def law(t):
    """The quantity at time t, from 0 to 12."""
    return E + A * math.cos(C * t + B) - D * t
# EVOLVE-BLOCK-END


def run(times):
    """What the evaluator calls: a number for each time."""
    return [law(t) for t in times]
