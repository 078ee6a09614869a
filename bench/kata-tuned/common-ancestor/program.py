def common_ancestor(root, first, second):
    def search(node):
        value, left, right = node
        if value in (first, second):
            return value
        in_left = search(left)
        in_right = search(right)
        if in_left is not None and in_right is not None:
            return value
        return in_left if in_left is not None else in_right

    return search(root)
