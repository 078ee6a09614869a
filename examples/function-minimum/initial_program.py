"""Looks for the lowest point of a bumpy surface with few measurements."""

# EVOLVE-BLOCK-START
STEP = 0.5
SHRINK = 1.0
ROUNDS = 8
GRID = 1
SPREAD = 1.0


def search(height, low, high):
    """The lowest point found, as (x, y); `height(x, y)` measures the surface once."""
    middle = (low + high) / 2.0
    x, y, lowest = middle, middle, height(middle, middle)
    for i in range(GRID):
        for j in range(GRID):
            a = middle + SPREAD * (high - low) * ((i + 0.5) / GRID - 0.5)
            b = middle + SPREAD * (high - low) * ((j + 0.5) / GRID - 0.5)
            found = height(a, b)
            if found < lowest:
                x, y, lowest = a, b, found
    step = STEP
    for _ in range(ROUNDS):
        for dx, dy in ((step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)):
            found = height(x + dx, y + dy)
            if found < lowest:
                x, y, lowest = x + dx, y + dy, found
        step *= SHRINK
    return x, y
# EVOLVE-BLOCK-END


def run(height, low, high):
    """What the evaluator calls."""
    return search(height, low, high)
