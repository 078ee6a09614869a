def rotate_words(sentence, shift):
    """Rotate every word to the left by shift letters (right if negative).

    Words are separated by single blanks; a final punctuation mark out of
    '.,!?' stays in place.
    """
    out = []
    for word in sentence.split(' '):
        tail = ''
        if word and word[-1] in '.,!?':
            tail = word[-1]
            word = word[:-1]
        if word:
            k = shift % len(word)
            word = word[-k:] + word[:-k]
        out.append(word + tail)
    return ' '.join(out)
