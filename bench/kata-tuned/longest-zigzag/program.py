def longest_zigzag(prices):
    if not prices:
        return 0
    up, down = 0, 0
    for before, now in zip(prices, prices[1:]):
        if now > before:
            up = down + 1
        elif now < before:
            down = up + 1
    return max(up, down)
