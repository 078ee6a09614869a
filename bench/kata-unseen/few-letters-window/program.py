def longest_window(text, kinds):
    counts = {}
    left = 0
    best = ""
    for right, char in enumerate(text):
        counts[char] = counts.get(char, 0) + 1
        while len(counts) > kinds:
            first = text[left]
            counts[first] -= 1
            if counts[first] == 0:
                del counts[first]
        if right + 1 - left > len(best):
            best = text[left:right + 1]
    return best
