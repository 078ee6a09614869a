def destination(values, start, item):
    place = start + sum(other <= item for other in values[start + 1:])
    while place != start and values[place] == item:
        place += 1
    return place


def cycle_sort_writes(values):
    writes = 0
    for start in range(len(values)):
        item = values[start]
        place = destination(values, start, item)
        while place != start:
            values[place], item = item, values[place]
            writes += 1
            place = destination(values, start, item)
        if values[start] != item:
            values[start] = item
            writes += 1
    return [writes, values]
