def shell_sort(values):
    items = list(values)
    gap = len(items) // 2
    while gap > 0:
        for start in range(gap, len(items)):
            item = items[start]
            place = start
            while place >= gap and items[place - gap] > item:
                items[place] = items[place - gap]
                place -= gap
            items[place] = item
        gap //= 2
    return items
