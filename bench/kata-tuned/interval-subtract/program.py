def subtract(base, holes):
    """Remove closed integer ranges in holes from the closed range base."""
    lo, hi = base
    result = []
    cursor = lo
    for start, end in sorted(holes):
        if end < cursor:
            continue
        if start > hi:
            break
        if start > cursor:
            result.append([cursor, start - 1])
        cursor = max(cursor, end)
    if cursor <= hi:
        result.append([cursor, hi])
    return result
