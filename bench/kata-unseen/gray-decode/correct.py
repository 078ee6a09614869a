def to_gray(number):
    return number ^ number >> 1


def from_gray(code):
    number = 0
    while code:
        number ^= code
        code >>= 1
    return number


def gray_round(numbers):
    return [[to_gray(n), from_gray(n)] for n in numbers]
