def best_path(tree):
    """Largest sum over a path of the binary tree [value, left, right]."""
    best = 0

    def gain(node):
        nonlocal best
        if node is None:
            return 0
        value, left, right = node
        left_gain = max(gain(left), 0)
        right_gain = max(gain(right), 0)
        best = max(best, value + left_gain + right_gain)
        return value + max(left_gain, right_gain)

    gain(tree)
    return best
