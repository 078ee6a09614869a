def closing_edges(count, edges):
    parent = list(range(count))
    rank = [0] * count

    def find(node):
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    closing = []
    for a, b in edges:
        high, low = find(a), find(b)
        if high == low:
            closing.append([a, b])
            continue
        if rank[high] < rank[low]:
            high, low = low, high
        parent[b] = high
        if rank[high] == rank[low]:
            rank[high] += 1
    return closing
