def shortest_tour(distance):
    """Length of the shortest round trip from city 0 through all the cities."""
    count = len(distance)
    far = float("inf")
    everyone = 1 << count - 1
    cost = [[far] * count for _ in range(1 << count)]
    cost[1][0] = 0
    for seen in range(1 << count):
        for city in range(count):
            if cost[seen][city] == far:
                continue
            for target in range(count):
                if seen >> target & 1:
                    continue
                grown = seen | 1 << target
                length = cost[seen][city] + distance[city][target]
                cost[grown][target] = min(cost[grown][target], length)
    tours = [cost[everyone][city] + distance[city][0] for city in range(count)]
    shortest = min(tours)
    return -1 if shortest == far else shortest
