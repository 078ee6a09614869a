LOWEST = -2 ** 31
HIGHEST = 2 ** 31 - 1


def parse_integer(text):
    """Leading integer of a text, clamped to 32 bits; 0 where there is none."""
    text = text.lstrip()
    sign = 1
    if text[:1] in ("+", "-"):
        if text[0] == "-":
            sign = -1
        text = text[1:]
    value = 0
    for char in text:
        if not "0" <= char <= "9":
            break
        value = value * 10 + int(char)
    return max(LOWEST, min(HIGHEST, sign * value))
