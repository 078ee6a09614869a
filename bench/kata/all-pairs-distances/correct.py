def all_pairs_distances(size, roads):
    """Table of shortest one-way distances; -1 where there is no way."""
    far = float("inf")
    table = [[far] * size for _ in range(size)]
    for node in range(size):
        table[node][node] = 0
    for origin, target, length in roads:
        table[origin][target] = min(table[origin][target], length)
    for via in range(size):
        for a in range(size):
            for b in range(size):
                detour = table[a][via] + table[via][b]
                if detour < table[a][b]:
                    table[a][b] = detour
    return [[-1 if d == far else d for d in row] for row in table]
