from collections import deque


def one_apart(a, b):
    return len(a) == len(b) and sum(x != y for x, y in zip(a, b)) == 1


def ladder_length(begin, end, words):
    left = set(words)
    left.discard(begin)
    queue = deque([(begin, 1)])
    while queue:
        current, length = queue.pop()
        if current == end:
            return length
        for neighbour in sorted(left):
            if one_apart(current, neighbour):
                left.remove(neighbour)
                queue.append((neighbour, length + 1))
    return 0
