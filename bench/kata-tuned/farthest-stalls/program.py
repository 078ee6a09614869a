def fits(places, count, gap):
    placed = 1
    last = places[0]
    for place in places[1:]:
        if place - last >= gap:
            placed += 1
    return placed >= count


def widest_gap(places, count):
    places = sorted(places)
    low, high = 0, places[-1] - places[0]
    while low < high:
        middle = (low + high + 1) // 2
        if fits(places, count, middle):
            low = middle
        else:
            high = middle - 1
    return low
