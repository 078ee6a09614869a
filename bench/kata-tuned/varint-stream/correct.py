def encode(number):
    while True:
        low = number & 0x7F
        number >>= 7
        yield low | (0x80 if number else 0)
        if not number:
            return


def encode_all(numbers):
    stream = []
    for number in numbers:
        stream.extend(encode(number))
    return stream
