PARTNER = {")": "(", "]": "[", "}": "{"}


def first_fault(text):
    """Index of the first bracket that does not fit, or -1 if all do.

    If no closing bracket is at fault, it is the outermost unclosed one.
    """
    opened = []
    for index, char in enumerate(text):
        if char in PARTNER.values():
            opened.append(index)
        elif char in PARTNER:
            if not opened or text[opened[-1]] != PARTNER[char]:
                return index
            opened.pop()
    if opened:
        return opened[0]
    return -1
