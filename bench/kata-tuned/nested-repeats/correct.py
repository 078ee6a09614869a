def expand(text):
    stack = []
    current, count = "", 0
    for symbol in text:
        if symbol.isdigit():
            count = count * 10 + int(symbol)
        elif symbol == "[":
            stack.append((current, count))
            current, count = "", 0
        elif symbol == "]":
            before, times = stack.pop()
            current = before + current * times
        else:
            current += symbol
    return current
