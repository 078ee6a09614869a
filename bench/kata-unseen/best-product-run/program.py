def best_product(values):
    if not values:
        return None
    best = 0
    high = low = 1
    for value in values:
        options = (value, high * value, low * value)
        high = max(options)
        low = min(options)
        best = max(best, high)
    return best
