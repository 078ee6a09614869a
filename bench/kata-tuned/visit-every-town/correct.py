def tours(n, roads):
    targets = {town: [] for town in range(n)}
    for start, end in roads:
        targets[start].append(end)

    def extend(route):
        if len(route) == n:
            return 1
        total = 0
        for town in targets[route[-1]]:
            if town not in route:
                total += extend(route + [town])
        return total

    return sum(extend([town]) for town in range(n))
