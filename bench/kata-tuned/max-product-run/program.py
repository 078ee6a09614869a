def max_product(values):
    """Largest product of a non-empty contiguous run of integers."""
    high = low = values[0]
    best = 0
    for value in values[1:]:
        if value < 0:
            high, low = low, high
        high = max(value, high * value)
        low = min(value, low * value)
        if high > best:
            best = high
    return best
