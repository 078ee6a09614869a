from collections import deque


def count_misses(requests, capacity):
    recent = deque()
    misses = 0
    for page in requests:
        if page in recent:
            recent.remove(page)
        else:
            misses += 1
            if recent and len(recent) >= capacity:
                recent.pop()
        if capacity > 0:
            recent.append(page)
    return misses
