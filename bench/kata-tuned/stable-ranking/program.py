def merge(first, second):
    """Merge two runs; equal scores are taken from first."""
    merged = []
    i = j = 0
    while i < len(first) and j < len(second):
        if second[j][1] > first[i][1]:
            merged.append(second[j])
            j += 1
        else:
            merged.append(first[i])
            i += 1
    return merged + first[i:] + second[j:]


def rank(players):
    """Sort [name, score] by descending score, ties in the given order."""
    if len(players) < 2:
        return players[:]
    middle = len(players) // 2
    left = rank(players[:middle])
    right = rank(players[middle:])
    return merge(right, left)
