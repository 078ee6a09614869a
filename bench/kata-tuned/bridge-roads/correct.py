def bridges(n, edges):
    adjacent = [[] for _ in range(n)]
    for a, b in edges:
        adjacent[a].append(b)
        adjacent[b].append(a)
    entered = [None] * n
    low = [0] * n
    found = []
    clock = 0

    def walk(v, parent):
        nonlocal clock
        entered[v] = low[v] = clock
        clock += 1
        for w in adjacent[v]:
            if w == parent:
                continue
            if entered[w] is not None:
                low[v] = min(low[v], entered[w])
                continue
            walk(w, v)
            low[v] = min(low[v], low[w])
            if low[w] > entered[v]:
                found.append([min(v, w), max(v, w)])

    for v in range(n):
        if entered[v] is None:
            walk(v, None)
    return sorted(found)
