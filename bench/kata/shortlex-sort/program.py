def comes_before(a, b):
    if len(a) != len(b):
        return len(a) < len(b)
    return a < b


def shortlex(words):
    """Words by length, those of equal length alphabetically."""
    if not words:
        return []
    pivot = words[0]
    before = []
    after = []
    for word in words[1:-1]:
        if comes_before(word, pivot):
            before.append(word)
        else:
            after.append(word)
    return shortlex(before) + [pivot] + shortlex(after)
