def isomorphic(first, second):
    if len(first) != len(second):
        return False
    forward = {}
    backward = {}
    for a, b in zip(first, second):
        if a not in forward and b not in backward:
            forward[a] = b
            backward[b] = a
        elif forward.get(a) != b or backward.get(b) != a:
            return False
    return True
