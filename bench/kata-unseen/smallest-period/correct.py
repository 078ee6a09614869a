def smallest_period(text):
    border = [0] * len(text)
    length = 0
    for i in range(1, len(text)):
        while length and text[i] != text[length]:
            length = border[length - 1]
        if text[i] == text[length]:
            length += 1
        border[i] = length
    period = len(text) - length
    if period and len(text) % period == 0:
        return period
    return len(text)
