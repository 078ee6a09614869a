"""Lists of numbers."""


def largest(values):
    """The largest of the values, of which there is at least one."""
    best = values[0]
    for value in values:
        if value > best:
            best = value
    return best


def product(values):
    """All values multiplied together; 1 if there are none."""
    result = 1
    for value in values:
        result *= value
    return result


def count_down(n):
    """The list n, n - 1, ... 1; empty for n = 0."""
    return list(range(n, 0, -1))


def numbers_between(start, stop):
    """The whole numbers from start up to, but not including, stop."""
    return list(range(start, stop))
