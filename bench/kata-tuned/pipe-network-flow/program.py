def find_path(room, source, sink):
    parent = {source: source}
    queue = [source]
    for node in queue:
        for other, free in enumerate(room[node]):
            if free > 0 and other not in parent:
                parent[other] = node
                queue.append(other)
    path = []
    node = sink
    while node in parent and node != source:
        path.append((parent[node], node))
        node = parent[node]
    return path


def max_flow(room, source, sink):
    total = 0
    path = find_path(room, source, sink)
    while path:
        push = min(room[a][b] for a, b in path)
        for a, b in path:
            room[a][b] -= push
        total += push
        path = find_path(room, source, sink)
    return total
