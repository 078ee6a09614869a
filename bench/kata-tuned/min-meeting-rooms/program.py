def min_meeting_rooms(meetings):
    """Smallest number of rooms for half-open meetings [start, end)."""
    starts = sorted(m[0] for m in meetings)
    ends = sorted(m[1] for m in meetings)
    used = best = 0
    j = 0
    for s in starts:
        while ends[j] < s:
            used -= 1
            j += 1
        used += 1
        best = max(best, used)
    return best
