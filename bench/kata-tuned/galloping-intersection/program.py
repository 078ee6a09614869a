def gallop(values, start, target):
    step = 1
    while start + step < len(values) and values[start + step] < target:
        step *= 2
    low = start + step // 2
    high = min(start + step, len(values)) - 1
    while low < high:
        middle = (low + high) // 2
        if values[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low


def intersect(few, many):
    common, place = [], 0
    for value in few:
        place = gallop(many, place, value)
        if place < len(many) and many[place] == value:
            common.append(value)
            place += 1
    return common
