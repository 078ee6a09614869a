def zigzag(tree):
    result = []
    level = [tree] if tree else []
    forward = True
    while level:
        values = [node[0] for node in level]
        if not forward:
            values.reverse()
        result.append(values)
        below = []
        for _, left, right in level:
            below.extend(child for child in (left, right) if child)
        level = below
        forward = not forward
    return result
