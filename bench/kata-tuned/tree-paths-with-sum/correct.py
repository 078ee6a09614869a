def root_to_leaf_paths(tree, goal):
    found = []
    path = []

    def visit(node, remaining):
        if node is None:
            return
        value, left, right = node
        path.append(value)
        if left is None and right is None and value == remaining:
            found.append(path.copy())
        visit(left, remaining - value)
        visit(right, remaining - value)
        path.pop()

    visit(tree, goal)
    return found
