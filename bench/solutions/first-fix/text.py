"""Words and letters."""


def unknown_words(text, known):
    """The words of the text that are not among the known ones, in their order."""
    return [word for word in text.split() if word not in known]


def ordered_letters(text):
    """The letters of the text in ascending order."""
    return "".join(sorted(text))


def count_word(text, wanted):
    """How often the wanted word stands in the text; spaces part the words."""
    count = 0
    for word in text.split():
        if word == wanted:
            count += 1
    return count
