def anagram_groups(words):
    """Words grouped with their anagrams, groups by first appearance."""
    groups = []
    index_of = {}
    for word in words:
        signature = "".join(sorted(word))
        if signature not in index_of:
            index_of[signature] = len(groups)
            groups.append([])
        groups[index_of[signature]].append(word)
    return groups
