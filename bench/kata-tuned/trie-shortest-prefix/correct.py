def shortest_unique_prefixes(words):
    """Shortest prefix of each word that no other listed word starts with.

    A word that has no such prefix is given in full.
    """
    root = {}
    for word in words:
        node = root
        for ch in word:
            entry = node.setdefault(ch, [0, {}])
            entry[0] += 1
            node = entry[1]
    result = []
    for word in words:
        node = root
        length = len(word)
        for depth, ch in enumerate(word):
            count, node = node[ch]
            if count == 1:
                length = depth + 1
                break
        result.append(word[:length])
    return result
