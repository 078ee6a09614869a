def spread(values, place):
    buckets = [[] for _ in range(10)]
    for value in values:
        buckets[value // place % 10].append(value)
    return [value for bucket in buckets for value in bucket]


def sort_naturals(values):
    place = 1
    while values and max(values) >= place:
        values = spread(values, place)
        place *= 10
    return values


def radix_sort(values):
    below = sort_naturals([-value for value in values if value < 0])
    above = sort_naturals([value for value in values if value >= 0])
    return [-value for value in below] + above
