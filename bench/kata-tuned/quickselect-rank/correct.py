def kth_smallest(values, k):
    items = list(values)
    while True:
        pivot = items[len(items) // 2]
        smaller = [x for x in items if x < pivot]
        equal = [x for x in items if x == pivot]
        larger = [x for x in items if x > pivot]
        if k <= len(smaller):
            items = smaller
        elif k <= len(smaller) + len(equal):
            return pivot
        else:
            k -= len(smaller) + len(equal)
            items = larger
