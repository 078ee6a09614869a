def compress(text):
    if not text:
        return ""
    pieces = []
    count = 1
    for previous, char in zip(text, text[1:]):
        if char == previous:
            count += 1
        else:
            pieces.append(previous + (str(count) if count > 1 else ""))
            count = 1
    pieces.append(text[-1] + (str(count) if count > 1 else ""))
    return "".join(pieces)
