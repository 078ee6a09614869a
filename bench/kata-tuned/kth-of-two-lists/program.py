def kth_smallest(first, second, k):
    low = max(0, k - len(first))
    high = min(k, len(first))
    while low < high:
        take = (low + high) // 2
        if first[take] < second[k - take - 1]:
            low = take + 1
        else:
            high = take
    left = first[low - 1] if low > 0 else None
    right = second[k - low - 1] if k > low else None
    if left is None or (right is not None and right > left):
        return right
    return left
