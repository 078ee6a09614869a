"""Places 11 points in a triangle so that the smallest triangle of three of them is large."""

# EVOLVE-BLOCK-START
# Two numbers for each point, each between 0 and 1, which `inside` folds into the triangle.
POINTS = [
    [0.1, 0.05], [0.35, 0.02], [0.62, 0.08], [0.85, 0.03],
    [0.05, 0.3], [0.3, 0.38], [0.57, 0.25],
    [0.02, 0.55], [0.33, 0.6],
    [0.08, 0.78], [0.03, 0.93],
]
# EVOLVE-BLOCK-END


def inside(x, y):
    """The point, folded into the triangle (0, 0), (1, 0), (0, 1)."""
    x, y = abs(x) % 1.0, abs(y) % 1.0
    if x + y > 1.0:
        x, y = 1.0 - x, 1.0 - y
    # Rounding must not carry a point over the slanted side.
    return (x, y) if x + y <= 1.0 - 1e-15 else (x * (1.0 - 1e-14), y * (1.0 - 1e-14))


def run():
    """What the evaluator calls: 11 points as (x, y)."""
    return [inside(x, y) for x, y in POINTS]
