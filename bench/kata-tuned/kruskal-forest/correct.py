def spanning_weight(count, edges):
    parent = list(range(count))

    def root(node):
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    total = 0
    used = 0
    for weight, a, b in sorted(edges):
        first = root(a)
        second = root(b)
        if first != second:
            parent[first] = second
            total += weight
            used += 1
    return total if used == count - 1 else None
