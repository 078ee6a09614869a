def expand(text, width):
    result = ""
    column = 0
    for symbol in text:
        if symbol == "\t":
            gap = width - column // width
            result += " " * gap
            column += gap
        elif symbol == "\n":
            result += symbol
            column = 0
        else:
            result += symbol
            column += 1
    return result
