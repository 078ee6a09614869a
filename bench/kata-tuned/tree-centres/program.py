def tree_centres(count, edges):
    links = [set() for _ in range(count)]
    for a, b in edges:
        links[a].add(b)
        links[b].add(a)
    left = set(range(count))
    leaves = [node for node in left if len(links[node]) == 1]
    while len(left) > 1:
        fresh = []
        for leaf in leaves:
            left.remove(leaf)
            inner = links[leaf].pop()
            links[inner].remove(leaf)
            if len(links[inner]) == 1:
                fresh.append(inner)
        leaves = fresh
    return sorted(left)
