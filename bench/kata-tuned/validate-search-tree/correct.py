def within(node, low, high):
    if node is None:
        return True
    value, left, right = node
    if low is not None and value <= low:
        return False
    if high is not None and value >= high:
        return False
    return within(left, low, value) and within(right, value, high)


def is_search_tree(root):
    return within(root, None, None)
