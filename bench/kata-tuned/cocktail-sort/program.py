def cocktail_sort(values):
    values = list(values)
    low = 0
    high = len(values) - 1
    swapped = True
    while swapped and low < high:
        swapped = False
        for i in range(low, high):
            if values[i] > values[i + 1]:
                values[i], values[i + 1] = values[i + 1], values[i]
                swapped = True
        high -= 1
        for i in range(high, low + 1, -1):
            if values[i - 1] > values[i]:
                values[i - 1], values[i] = values[i], values[i - 1]
                swapped = True
        low += 1
    return values
