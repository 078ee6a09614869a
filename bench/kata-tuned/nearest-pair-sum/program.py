def nearest_pair(numbers, target):
    numbers = sorted(numbers)
    low, high = 0, len(numbers) - 1
    smallest_gap = None
    pair = None
    while low < high:
        total = numbers[low] + numbers[high]
        gap = abs(total - target)
        if smallest_gap is None or gap < smallest_gap:
            smallest_gap = gap
            pair = [numbers[low], numbers[high]]
        if total < target:
            low += 1
        else:
            high -= 1
    return [numbers[low], numbers[high]]
