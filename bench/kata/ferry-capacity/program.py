def trips_needed(loads, capacity):
    trips, aboard = 1, 0
    for load in loads:
        if aboard + load > capacity:
            trips += 1
            aboard = 0
        aboard += load
    return trips


def smallest_capacity(loads, trips):
    """Least capacity that carries all loads, in order, in so many trips."""
    low = 1
    high = sum(loads)
    while low < high:
        middle = (low + high) // 2
        if trips_needed(loads, middle) <= trips:
            high = middle
        else:
            low = middle + 1
    return low
