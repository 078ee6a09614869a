def best_revenue(prices, length):
    """Most that a rod can earn; prices[k - 1] is paid for a piece of length k."""
    revenue = [0] * (length + 1)
    for size in range(1, length + 1):
        best = 0
        longest = min(size, len(prices))
        for piece in range(1, longest):
            best = max(best, prices[piece - 1] + revenue[size - piece])
        revenue[size] = best
    return revenue[length]
