def kth_smallest(values, k):
    if k < 1 or k > len(values):
        return None
    items = values
    rank = k - 1
    while True:
        pivot = items[len(items) // 2]
        less = [x for x in items if x < pivot]
        same = [x for x in items if x == pivot]
        more = [x for x in items if x > pivot]
        if rank < len(less):
            items = less
        elif rank <= len(less) + len(same):
            return pivot
        else:
            rank -= len(less) + len(same)
            items = more
