"""Looks for the lowest point of a bumpy surface with few measurements."""

# EVOLVE-BLOCK-START
START = (0.0, 0.0)
STEP = 0.5
SHRINK = 1.0
ROUNDS = 12


def search(height):
    """The lowest point found, as (x, y); `height(x, y)` measures the surface once."""
    x, y = START
    lowest = height(x, y)
    step = STEP
    for _ in range(ROUNDS):
        for dx, dy in ((step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)):
            found = height(x + dx, y + dy)
            if found < lowest:
                x, y, lowest = x + dx, y + dy, found
        step *= SHRINK
    return x, y
# EVOLVE-BLOCK-END


def run(height):
    """What the evaluator calls."""
    return search(height)
