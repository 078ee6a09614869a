def sort_colors(values):
    low, mid, high = 0, 0, len(values) - 1
    while mid < high:
        if values[mid] == 0:
            values[low], values[mid] = values[mid], values[low]
            low += 1
            mid += 1
        elif values[mid] == 1:
            mid += 1
        else:
            values[mid], values[high] = values[high], values[mid]
            high -= 1
    return values
