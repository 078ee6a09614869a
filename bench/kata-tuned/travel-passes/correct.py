from bisect import bisect_left

SPANS = (1, 7, 30)


def cheapest_passes(days, prices):
    best = [0]
    for day in days:
        options = []
        for span, price in zip(SPANS, prices):
            before = bisect_left(days, day - span + 1)
            options.append(best[before] + price)
        best.append(min(options))
    return best[-1]
