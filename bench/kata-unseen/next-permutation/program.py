def next_permutation(values):
    items = list(values)
    left = len(items) - 2
    while left >= 0 and items[left] >= items[left + 1]:
        left -= 1
    if left >= 0:
        right = len(items) - 1
        while items[right] < items[left + 1]:
            right -= 1
        items[left], items[right] = items[right], items[left]
    items[left + 1:] = reversed(items[left + 1:])
    return items
