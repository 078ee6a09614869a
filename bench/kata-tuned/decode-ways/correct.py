def decodings(text):
    if not text:
        return 0
    before, ways = 0, 1
    for i, digit in enumerate(text):
        current = 0
        if digit != "0":
            current += ways
        if i > 0 and text[i - 1] != "0" and int(text[i - 1:i + 1]) <= 26:
            current += before
        before, ways = ways, current
    return ways
