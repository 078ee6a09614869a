class Node:
    def __init__(self, value, after):
        self.value = value
        self.after = after


def regroup(head, size):
    probe = head
    for _ in range(size):
        if probe is None:
            return probe
        probe = probe.after
    done, node = regroup(probe, size), head
    while node is not probe:
        node.after, done, node = done, node, node.after
    return done


def reverse_groups(values, size):
    head = None
    for value in reversed(values):
        head = Node(value, head)
    head = regroup(head, size)
    found = []
    while head:
        found.append(head.value)
        head = head.after
    return found
