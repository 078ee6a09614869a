def longest_non_decreasing(values):
    tails = []
    for value in values:
        low = 0
        high = len(tails)
        while low < high:
            mid = (low + high) // 2
            if tails[mid] <= value:
                low = mid + 1
            else:
                high = mid
        if low == len(tails):
            tails.append(value)
        else:
            tails[low] = value
    return len(tails)
