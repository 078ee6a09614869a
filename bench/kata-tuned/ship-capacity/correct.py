def ship_capacity(weights, days):
    """Least daily capacity that ships all packages in order within days."""
    def days_needed(capacity):
        used, load = 1, 0
        for weight in weights:
            if load + weight > capacity:
                used += 1
                load = 0
            load += weight
        return used

    low, high = max(weights), sum(weights)
    middle = low
    while low < high:
        middle = (low + high) // 2
        if days_needed(middle) <= days:
            high = middle
        else:
            low = middle + 1
    return low
