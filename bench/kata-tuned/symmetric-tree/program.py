def mirrored(left, right):
    value, outer, inner = left
    other, other_inner, other_outer = right
    if value != other:
        return False
    return mirrored(outer, other_outer) and mirrored(inner, other_inner)


def is_symmetric(tree):
    return tree is None or mirrored(tree[1], tree[2])
