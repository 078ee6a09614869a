def identifiers(text):
    """Names in a program text; a name starts with a letter or underscore."""
    names = []
    i = 0
    while i < len(text):
        if text[i].isalpha() or text[i] == "_":
            start = i
            while i < len(text) and (text[i].isalnum() or text[i] == "_"):
                i += 1
            names.append(text[start:i])
        elif text[i].isdigit():
            while i < len(text) and text[i].isalnum():
                i += 1
        else:
            i += 1
    return names
