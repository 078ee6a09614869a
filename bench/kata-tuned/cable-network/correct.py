import heapq


def cable_length(houses, routes):
    near = {house: [] for house in range(houses)}
    for a, b, length in routes:
        near[a].append((length, b))
        near[b].append((length, a))
    joined = set()
    total = 0
    queue = [(0, 0)]
    while queue:
        length, house = heapq.heappop(queue)
        if house in joined: continue
        joined.add(house)
        total += length
        for offer in near[house]:
            if offer[1] not in joined:
                heapq.heappush(queue, offer)
    return total if len(joined) == houses else -1
