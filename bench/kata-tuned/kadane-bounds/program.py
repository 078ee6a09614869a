def best_window(values):
    """Start, stop (exclusive) and sum of the best non-empty slice.

    Among equal sums the one found first from the left is kept.
    """
    if not values:
        return None
    best = values[0]
    best_start, best_stop = 0, 1
    current = 0
    start = 0
    for i, v in enumerate(values):
        if current < 0:
            current = 0
            start = i
        current += v
        if current > best:
            best = current
            best_start, best_stop = start, i + 1
    return [start, best_stop, best]
