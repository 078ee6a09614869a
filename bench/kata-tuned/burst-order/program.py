def most_coins(balloons):
    values = [1, *balloons, 1]
    size = len(values)
    best = [[0] * size for _ in range(size)]
    for width in range(2, size):
        for left in range(size - width):
            right = left + width
            for last in range(left + 1, right):
                coins = values[left] * values[last] * values[last + 1]
                coins += best[left][last] + best[last][right]
                best[left][right] = max(best[left][right], coins)
    return best[0][-1]
