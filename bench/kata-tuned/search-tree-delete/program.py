def insert(node, value):
    if node is None:
        return [value, None, None]
    if value < node[0]:
        node[1] = insert(node[1], value)
    elif value > node[0]:
        node[2] = insert(node[2], value)
    return node


def delete(node, value):
    if node is None: return None
    if value < node[0]: node[1] = delete(node[1], value)
    elif value > node[0]: node[2] = delete(node[2], value)
    elif node[1] is None: return node[2]
    elif node[2] is None: return node[2]
    else:
        heir = node[2]
        while heir[1] is not None: heir = heir[1]
        node[0] = heir[0]
        node[2] = delete(node[2], heir[0])
    return node


def preorder(node):
    return [] if node is None else [node[0]] + preorder(node[1]) + preorder(node[2])


def delete_all(values, removed):
    root = None
    for value in values: root = insert(root, value)
    for value in removed: root = delete(root, value)
    return preorder(root)
