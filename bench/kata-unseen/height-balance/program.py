def measure(node):
    if node is None:
        return 0
    left = measure(node[1])
    right = measure(node[2])
    if left < 0 or right < 0 or left - right > 1:
        return -1
    return 1 + max(left, right)


def is_balanced(tree):
    return measure(tree) >= 0
