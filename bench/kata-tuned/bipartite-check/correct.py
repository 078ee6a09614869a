from collections import deque


def odd_cycle_components(n, edges):
    """Lowest vertex of every component that cannot be coloured with two colours."""
    near = [[] for _ in range(n)]
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    colour = {}
    bad = []
    for root in range(n):
        if root in colour:
            continue
        colour[root] = True
        clash = False
        queue = deque([root])
        while queue:
            v = queue.popleft()
            for w in near[v]:
                if w not in colour:
                    colour[w] = not colour[v]
                    queue.append(w)
                elif colour[w] == colour[v]:
                    clash = True
        if clash:
            bad.append(root)
    return bad
