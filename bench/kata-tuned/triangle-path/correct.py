def cheapest_descent(triangle):
    if not triangle:
        return 0
    best = list(triangle[-1])
    for row in range(len(triangle) - 2, -1, -1):
        for i, value in enumerate(triangle[row]):
            best[i] = value + min(best[i], best[i + 1])
    return best[0]
