def spread(words, width):
    """One line of exactly width characters; extra blanks go to the left gaps."""
    if len(words) == 1:
        return words[0].ljust(width)
    gaps = len(words) - 1
    blanks = width - sum(len(w) for w in words)
    parts = []
    for i, word in enumerate(words[:-1]):
        pad = blanks // gaps + (1 if i < blanks % gaps else 0)
        parts.append(word + " " * pad)
    return "".join(parts) + words[-1]


def justify(words, width):
    """Full justification; the last line is left aligned and padded."""
    lines = []
    line = []
    used = 0
    for word in words:
        if line and used + len(line) + len(word) > width:
            lines.append(spread(line, width))
            line, used = [], 0
        line.append(word)
        used += len(word)
    if line:
        lines.append(" ".join(line).ljust(width))
    return lines
