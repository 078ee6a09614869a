def sentences(text, words):
    """All ways to split text into dictionary words, sorted; each a list."""
    known = set(words)

    def splits(start):
        if start == len(text): return [[]]
        found = []
        for end in range(start + 1, len(text) + 1):
            word = text[start:end]
            if word in known:
                for rest in splits(end):
                    found.append([word] + rest)
        return found

    return sorted(splits(0))
