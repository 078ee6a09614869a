def build(low, high):
    if low > high: return [None]
    trees = []
    for root in range(low, high + 1):
        for left in build(low, root - 1):
            for right in build(root + 1, high):
                trees.append([left, root, right])
    return trees


def height(tree):
    return 0 if tree is None else 1 + max(height(tree[0]), height(tree[2]))


def shapes(low, high, limit):
    return [tree for tree in build(low, high) if height(tree) <= limit]
