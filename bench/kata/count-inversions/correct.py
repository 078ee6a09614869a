def merge_count(left, right):
    merged = []
    crossings = 0
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            crossings += len(left) - i
            j += 1
    return merged + left[i:] + right[j:], crossings


def sort_count(values):
    if len(values) < 2:
        return values, 0
    middle = len(values) // 2
    left, in_left = sort_count(values[:middle])
    right, in_right = sort_count(values[middle:])
    merged, across = merge_count(left, right)
    return merged, in_left + in_right + across


def count_inversions(values):
    """Number of pairs whose larger member stands first."""
    return sort_count(values)[1]
