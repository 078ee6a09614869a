def insertion_point(ordered, item):
    """First position at which the item keeps the ascending list in order."""
    low = 0
    high = len(ordered) - 1
    while low <= high:
        middle = (low + high) // 2
        if ordered[middle] < item:
            low = middle + 1
        else:
            high = middle - 1
    return middle
