def arrangements(letters):
    """All distinct orders of the letters, alphabetically."""
    letters = sorted(letters)
    used = [False] * len(letters)
    found = []

    def place(prefix):
        if len(prefix) == len(letters):
            found.append(prefix)
            return
        previous = None
        for index, letter in enumerate(letters):
            if used[index] or letter == previous:
                continue
            used[index] = True
            place(prefix + letter)
            used[index] = False
            previous = letter

    place("")
    return found
