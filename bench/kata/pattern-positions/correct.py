def border_lengths(pattern):
    """For each prefix, the longest proper prefix that also ends it."""
    borders = [0] * len(pattern)
    length = 0
    for i in range(1, len(pattern)):
        while length and pattern[i] != pattern[length]:
            length = borders[length - 1]
        if pattern[i] == pattern[length]:
            length += 1
        borders[i] = length
    return borders


def pattern_positions(text, pattern):
    """Start of every occurrence of a pattern, overlapping ones too."""
    if not pattern:
        return []
    joined = pattern + "\0" + text
    borders = border_lengths(joined)
    offset = 2 * len(pattern)
    return [i - offset for i, border in enumerate(borders) if border == len(pattern)]
