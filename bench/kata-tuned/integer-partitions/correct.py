def extend(remaining, largest, prefix, found):
    if remaining == 0:
        found.append(list(prefix))
        return
    for part in range(min(remaining, largest), 0, -1):
        prefix.append(part)
        extend(remaining - part, part, prefix, found)
        prefix.pop()


def partitions(n, largest=None):
    """All ways to write n as a non-increasing sum of positive parts."""
    found = []
    if largest is None:
        largest = n
    extend(n, largest, [], found)
    return found
