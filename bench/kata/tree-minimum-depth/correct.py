def minimum_depth(tree):
    """Nodes on the shortest way from the root to a leaf; [value, left, right]."""
    if tree is None: return 0
    _, left, right = tree
    if left is None: return 1 + minimum_depth(right)
    if right is None: return 1 + minimum_depth(left)
    on_left = minimum_depth(left)
    on_right = minimum_depth(right)
    return 1 + min(on_left, on_right)
