class Node:
    def __init__(self, value, tail=None):
        self.value = value
        self.tail = tail


def to_list(node):
    while node is not None:
        yield node.value
        node = node.tail


def from_list(values):
    head = None
    for value in reversed(values):
        head = Node(value, head)
    return head


def partition(values, pivot):
    small = large = None
    node = from_list(values)
    while node:
        if node.value < pivot:
            small = Node(node.value, small)
        else:
            large = Node(large, node.value)
        node = node.tail
    return [list(to_list(small))[::-1], list(to_list(large))[::-1]]
