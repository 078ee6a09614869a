from heapq import heappop, heappush


def heaviest_load(count, roads, start, goal):
    links = [[] for _ in range(count)]
    for a, b, limit in roads:
        links[a].append((b, limit))
        links[b].append((a, limit))
    best = [0] * count
    heap = [(-max((road[2] for road in roads), default=0), start)]
    while heap:
        load, node = heappop(heap)
        if node == goal:
            return -load
        for other, limit in links[node]:
            through = min(-load, limit)
            if through > best[other]:
                best[other] = through
                heappush(heap, (-through, other))
    return 0
