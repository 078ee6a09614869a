def gray_sequence(bits, start, count):
    """count consecutive bits-wide Gray codes as strings, from index start.

    Indices wrap around at 2 ** bits.
    """
    size = 1 << bits
    codes = []
    for offset in range(count):
        index = (start + offset) % size
        code = index ^ (index >> 1)
        codes.append(format(code, 'b').zfill(bits))
    return codes
