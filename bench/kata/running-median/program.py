import heapq


def running_median(stream):
    """Median after each number, rounded down where it falls between two."""
    low = []
    high = []
    medians = []
    for number in stream:
        heapq.heappush(low, -number)
        heapq.heappush(high, -heapq.heappop(low))
        if len(high) > len(low):
            heapq.heappush(low, -heapq.heappop(high))
        if len(low) > len(high):
            medians.append(-low[0])
        else:
            medians.append(high[0] - low[0] // 2)
    return medians
