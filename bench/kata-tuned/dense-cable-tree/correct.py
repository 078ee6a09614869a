def cable_length(costs):
    count = len(costs)
    inside = [False] * count
    nearest = [0] * count
    total = 0
    if count:
        inside[0] = True
    for _ in range(count - 1):
        outside = [node for node in range(count) if not inside[node]]
        node = min(outside, key=lambda other: costs[nearest[other]][other])
        total += costs[nearest[node]][node]
        inside[node] = True
        for other in outside:
            if costs[node][other] < costs[nearest[other]][other]:
                nearest[other] = node
    return total
