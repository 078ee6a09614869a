"""A straight line through some points."""

# EVOLVE-BLOCK-START
SLOPE = 0.0
SHIFT = 0.0


def predict(x):
    """Height of the line at x."""
    return SLOPE * x + SHIFT


def predictions(points):
    """Heights of the line at all points."""
    return [predict(point) for point in points]
# EVOLVE-BLOCK-END
