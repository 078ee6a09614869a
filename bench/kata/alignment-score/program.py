def alignment_score(first, second, match, mismatch, gap):
    """Best total score of a global alignment of two sequences."""
    previous = [gap * j for j in range(len(second) + 1)]
    for i, a in enumerate(first, 1):
        current = [gap * i]
        for j, b in enumerate(second, 1):
            paired = previous[j - 1] + (match if a == b else mismatch)
            skipped = min(previous[j], current[j - 1]) + gap
            current.append(max(paired, skipped))
        previous = current
    return previous[-1]
