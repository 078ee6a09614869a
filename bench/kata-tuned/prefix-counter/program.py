def prefix_counts(words, prefixes):
    """How many of the words start with each prefix, using a trie."""
    root = {'#': 0}
    for word in words:
        node = root
        node['#'] += 1
        for ch in word:
            if ch in node:
                node[ch] = {'#': 0}
            node = node[ch]
            node['#'] += 1
    counts = []
    for prefix in prefixes:
        node = root
        for ch in prefix:
            node = node.get(ch)
            if not node:
                break
        counts.append(node['#'] if node else 0)
    return counts
