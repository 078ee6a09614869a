def colour(count, edges, limit):
    neighbours = [[] for _ in range(count)]
    for a, b in edges:
        neighbours[a].append(b)
        neighbours[b].append(a)
    colours = [0] * count

    def place(node):
        if node == count:
            return True
        for choice in range(1, limit + 1):
            if all(colours[other] != choice for other in neighbours[node]):
                colours[node] = choice
                if place(node + 1):
                    return True
                colours[node] = 0
        return False

    return colours if place(0) else None
