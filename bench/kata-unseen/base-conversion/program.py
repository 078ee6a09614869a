SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyz"


def parse(text, base):
    value = 0
    for symbol in text:
        value = value * base + SYMBOLS.index(symbol)
    return value


def render(value, base):
    digits = ""
    while value > 0:
        value, digit = divmod(value, base)
        digits = SYMBOLS[digit] + digits
    return digits or "0"


def convert(text, source, target):
    if source == target:
        return text
    return render(target, parse(text, source))
