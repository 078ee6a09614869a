def wrap(text, width):
    """Greedy line wrapping; words longer than width stand alone."""
    lines = []
    line, used = [], 0
    for word in text.split():
        if line and used + 1 + len(word) > width:
            lines.append(' '.join(line))
            line = []
            used = 0
        if line:
            used += 1
        line.append(word)
        used += len(word)
    if line:
        lines.append(' '.join(line))
    return lines
