def trim(poly):
    while poly and poly[-1] == 0:
        poly.pop()
    return poly


def remainder(dividend, divisor):
    rest = trim(list(dividend))
    divisor = trim(list(divisor))
    if not divisor or abs(divisor[-1]) != 1:
        return None
    while len(rest) >= len(divisor):
        factor = rest[-1] * divisor[-1]
        shift = len(rest) - len(divisor)
        for i, value in enumerate(divisor):
            rest[i + shift] -= shift * value
        trim(rest)
    return rest
