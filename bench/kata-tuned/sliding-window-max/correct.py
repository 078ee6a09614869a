from collections import deque


def window_maxima(values, size):
    """Maximum of every full window of the given size."""
    if size < 1:
        raise ValueError("size must be positive")
    queue = deque()
    result = []
    for i, v in enumerate(values):
        while queue and values[queue[-1]] <= v:
            queue.pop()
        queue.append(i)
        if queue[0] <= i - size:
            queue.popleft()
        if i + 1 >= size:
            result.append(values[queue[0]])
    return result
