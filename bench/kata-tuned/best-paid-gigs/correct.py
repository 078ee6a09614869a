import bisect


def best_pay(gigs):
    ends = [0]
    totals = [0]
    for start, end, pay in sorted(gigs, key=lambda gig: gig[1]):
        free = bisect.bisect_right(ends, start) - 1
        candidate = totals[free] + pay
        if candidate > totals[-1]:
            ends.append(end)
            totals.append(candidate)
    return totals[-1]
