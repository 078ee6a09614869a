from collections import deque


def window_peaks(values, width):
    """Largest value of every window of the given width, from left to right."""
    peaks = []
    candidates = deque()
    for i, value in enumerate(values):
        while candidates and values[candidates[-1]] <= value:
            candidates.pop()
        candidates.append(i)
        if candidates[0] < i - width:
            candidates.popleft()
        if i >= width - 1:
            peaks.append(values[candidates[0]])
    return peaks
