def comb_sort(values):
    gap = len(values)
    swapped = True
    while gap > 1 or swapped:
        gap = max(1, gap * 10 // 13)
        swapped = False
        for low in range(len(values) - gap):
            high = low + gap
            if values[low] > values[high]:
                values[low], values[high] = values[high], values[low]
                swapped = True
    return values
