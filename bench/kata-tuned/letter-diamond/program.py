def line(index, size):
    letter = chr(ord("A") + index)
    margin = " " * (size - index)
    if index == 0:
        return margin + letter
    gap = " " * (2 * index)
    return f"{margin}{letter}{gap}{letter}"


def diamond(letter):
    size = ord(letter) - ord("A")
    top = [line(i, size) for i in range(size)]
    return top + [line(size, size)] + top[::-1]
