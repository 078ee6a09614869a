def merge_sort(values):
    values = list(values)
    width = 1
    while width < len(values):
        for start in range(0, len(values), 2 * width):
            left = values[start:start + width]
            right = values[start + width:start + 2 * width]
            merged = []
            while left and right:
                merged.append(left.pop(0) if left[0] <= right[0] else right.pop(0))
            values[start:start + 2 * width] = merged + left + right
        width *= 2
    return values
