def min_rooms(meetings):
    starts = sorted(m[0] for m in meetings)
    ends = sorted(m[1] for m in meetings)
    rooms = 0
    most = 0
    j = 0
    for start in starts:
        while j < len(ends) and ends[j] < start:
            rooms -= 1
            j += 1
        rooms += 1
        most = max(most, rooms)
    return most
