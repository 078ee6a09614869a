def best_fit(sizes, capacity):
    """Pack in decreasing order, each item into the fullest bin that takes it.

    Returns the bins as lists of item sizes; the earliest bin wins ties.
    """
    bins = []
    space = []
    for size in sorted(sizes, reverse=True):
        if size > capacity:
            raise ValueError("item too large")
        best = None
        least = capacity + 1
        for i, room in enumerate(space):
            if size < room < least:
                best = i
                least = room
        if best is None:
            bins.append([size])
            space.append(capacity - size)
        else:
            bins[best].append(size)
            space[best] -= size
    return bins
