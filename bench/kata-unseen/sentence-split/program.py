def count_splits(text, words):
    ways = [0] * (len(text) + 1)
    ways[0] = 1
    for start in range(len(text)):
        if ways[start]:
            continue
        for word in set(words):
            if word and text.startswith(word, start):
                ways[start + len(word)] += ways[start]
    return ways[len(text)]
