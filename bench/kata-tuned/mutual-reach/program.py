def components(graph):
    forward = {node: list(targets) for node, targets in graph.items()}
    backward = {node: [] for node in graph}
    for node, targets in graph.items():
        for target in targets:
            backward.setdefault(target, []).append(node)
            forward.setdefault(target, [])

    def visit(node, edges, seen, order):
        seen.add(node)
        for other in edges[node]:
            if other not in seen:
                visit(other, edges, seen, order)
        order.append(node)

    finished, seen = [], set()
    for node in list(forward):
        if node not in seen:
            visit(node, forward, seen, finished)
    groups, seen = [], set()
    for node in reversed(finished):
        if node not in seen:
            group = []
            visit(node, forward, seen, group)
            groups.append(sorted(group))
    return sorted(groups)
