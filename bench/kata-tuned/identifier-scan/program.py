def scan(text):
    """Split text into identifiers, integers and single other characters.

    Identifiers start with a letter or '_'; blanks only separate.
    """
    tokens = []
    i, n = 0, len(text)
    while i < n:
        start = i
        if text[i].isalpha() or text[i] == '_':
            while i < n and text[i].isalnum() or text[i] == '_':
                i += 1
        elif text[i].isdigit():
            while i < n and text[i].isdigit():
                i += 1
        else:
            i += 1
        if text[start] != ' ':
            tokens.append(text[start:i])
    return tokens
