def unpack(data):
    numbers = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            numbers.append((value >> 1) ^ -(value & 1))
            value = shift = 0
    return numbers
