"""A lock of four wheels with five places each."""

WHEELS = [0, 0, 0, 0]


def dial():
    """Where the wheels stand."""
    return [wheel % 5 for wheel in WHEELS]
