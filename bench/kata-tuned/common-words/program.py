def common_words(text, limit):
    counts = {}
    for token in text.split():
        word = token.strip(".,!?;:")
        if word:
            counts[word] = counts.get(word, 0) + 1
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return [f"{word}: {counts[word]}" for word in ranked[:limit]]
