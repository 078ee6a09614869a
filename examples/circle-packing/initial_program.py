"""Packs 26 circles into the unit square so that the sum of their radii is large."""

import math

# EVOLVE-BLOCK-START
# Where the circles begin: one in the middle, a ring of 8, a wider one of 16, and one more.
STARTS = [
    [0.5, 0.5],
    [0.8, 0.5], [0.71, 0.71], [0.5, 0.8], [0.29, 0.71], [0.2, 0.5], [0.29, 0.29], [0.5, 0.2], [0.71, 0.29],
    [0.99, 0.5], [0.99, 0.77], [0.99, 0.99], [0.77, 0.99], [0.5, 0.99], [0.23, 0.99], [0.01, 0.99], [0.01, 0.77],
    [0.01, 0.5], [0.01, 0.23], [0.01, 0.01], [0.23, 0.01], [0.5, 0.01], [0.77, 0.01], [0.99, 0.01], [0.99, 0.23],
    [0.4, 0.6],
]
RADIUS = 0.05
ROUNDS = 60
STEP = 0.3
GROWTH = 0.01


def settle(starts):
    """The centres after all circles grew a little in each round and pushed each other and the walls away."""
    n = len(starts)
    x = [min(max(p[0], 0.0), 1.0) for p in starts]
    y = [min(max(p[1], 0.0), 1.0) for p in starts]
    r = [RADIUS] * n
    for turn in range(ROUNDS):
        growth = GROWTH * (1.0 - turn / ROUNDS)
        right, up, out = [0.0] * n, [0.0] * n, [growth] * n
        for i in range(n):
            xi, yi, ri = x[i], y[i], r[i]
            for j in range(i):
                dx, dy, reach = xi - x[j], yi - y[j], ri + r[j]
                square = dx * dx + dy * dy
                if square < reach * reach:
                    gap = math.sqrt(square) + 1e-9
                    push = (reach - gap) / gap
                    right[i] += push * dx
                    right[j] -= push * dx
                    up[i] += push * dy
                    up[j] -= push * dy
                    out[i] -= reach - gap
                    out[j] -= reach - gap
            left, over = max(ri - xi, 0.0), max(xi + ri - 1.0, 0.0)
            low, high = max(ri - yi, 0.0), max(yi + ri - 1.0, 0.0)
            right[i] += left - over
            up[i] += low - high
            out[i] -= left + over + low + high
        for i in range(n):
            x[i] += STEP * right[i]
            y[i] += STEP * up[i]
            r[i] = max(r[i] + STEP * out[i], 0.0)
    return [(min(max(a, 0.0), 1.0), min(max(b, 0.0), 1.0)) for a, b in zip(x, y)]
# EVOLVE-BLOCK-END


def largest_radii(centres):
    """The radii with the largest sum for these centres: a small linear program, by the simplex method."""
    n = len(centres)
    walls = [min(x, 1.0 - x, y, 1.0 - y) for x, y in centres]
    rows = []
    for i in range(n):
        rows.append([1.0 if k == i else 0.0 for k in range(n)] + [walls[i]])
        for j in range(i):
            apart = math.dist(centres[i], centres[j])
            if apart < walls[i] + walls[j]:
                rows.append([1.0 if k in (i, j) else 0.0 for k in range(n)] + [apart])
    gain = [1.0] * n + [0.0]
    basic = [None] * len(rows)
    names = list(range(n))
    for _ in range(2000):
        enter = max(range(n), key=lambda k: gain[k])
        if gain[enter] < 1e-11:
            break
        ratio, leave = min((row[n] / row[enter], at) for at, row in enumerate(rows) if row[enter] > 1e-11)
        row = rows[leave]
        pivot = row[enter]
        row[enter] = 1.0
        row = rows[leave] = [value / pivot for value in row]
        for at, other in enumerate(rows):
            factor = other[enter]
            if at != leave and factor != 0.0:
                other[enter] = 0.0
                rows[at] = [a - factor * b for a, b in zip(other, row)]
        factor = gain[enter]
        gain[enter] = 0.0
        gain = [a - factor * b for a, b in zip(gain, row)]
        basic[leave], names[enter] = names[enter], basic[leave]
    radii = [0.0] * n
    for at, name in enumerate(basic):
        if name is not None:
            radii[name] = rows[at][n]
    # Rounding must not let two circles overlap by the last digit.
    return [max(radius * (1.0 - 1e-11) - 1e-13, 0.0) for radius in radii]


def run():
    """What the evaluator calls: 26 circles as (x, y, radius)."""
    centres = settle(STARTS)
    return [(x, y, radius) for (x, y), radius in zip(centres, largest_radii(centres))]
