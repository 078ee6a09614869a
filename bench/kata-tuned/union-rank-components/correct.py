def find(parent, x):
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


def component_sizes(n, edges):
    """Sizes of the connected components, largest first."""
    parent = list(range(n))
    rank = [0] * n
    size = [1] * n
    for a, b in edges:
        ra = find(parent, a)
        rb = find(parent, b)
        if ra == rb:
            continue
        if rank[ra] < rank[rb]:
            ra, rb = rb, ra
        parent[rb] = ra
        size[ra] += size[rb]
        if rank[ra] == rank[rb]:
            rank[ra] += 1
    roots = [i for i in range(n) if find(parent, i) == i]
    return sorted((size[i] for i in roots), reverse=True)
