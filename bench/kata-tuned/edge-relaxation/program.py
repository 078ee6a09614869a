def cheapest_costs(count, edges, source):
    infinity = 10 ** 9
    cost = [0] * count
    cost[source] = 0
    for _ in range(count - 1):
        changed = False
        for a, b, weight in edges:
            if cost[a] < infinity and cost[a] + weight < cost[b]:
                cost[b] = cost[a] + weight
                changed = True
        if not changed:
            break
    for a, b, weight in edges:
        if cost[a] < infinity and cost[a] + weight < cost[b]:
            return None
    return [value if value < infinity else -1 for value in cost]
