def euler_route(edges, start):
    follow = {}
    for a, b in edges:
        follow.setdefault(a, []).append(b)
    for ends in follow.values():
        ends.sort(reverse=True)
    route = []
    stack = [start]
    while stack:
        if follow.get(stack[-1]):
            stack.append(follow[stack[-1]].pop())
        else:
            route.append(stack.pop())
    return route if len(route) == len(edges) + 1 else None
