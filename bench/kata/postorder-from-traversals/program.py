def rebuild(preorder, inorder):
    if not preorder:
        return None
    root = preorder[0]
    split = inorder.index(root)
    left = rebuild(preorder[1:split + 1], inorder[:split])
    right = rebuild(preorder[split + 1:], inorder[split:])
    return [root, left, right]


def postorder(preorder, inorder):
    """Postorder of the binary tree with these two traversals."""
    order = []

    def visit(node):
        if node is not None:
            visit(node[1])
            visit(node[2])
            order.append(node[0])

    visit(rebuild(preorder, inorder))
    return order
