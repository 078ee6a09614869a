def group_anagrams(words):
    """Groups of two or more words that are anagrams, ignoring case.

    Words in a group keep their order; groups come largest first, ties in
    order of their first word's appearance.
    """
    groups = {}
    for word in words:
        key = ''.join(sorted(word.lower()))
        groups.setdefault(key, []).append(word)
    found = [group for group in groups.values() if len(group) > 1]
    found.sort(key=len, reverse=True)
    return found
