DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def to_base(number, base):
    """Text of an integer in a base from 2 to 36 or from -36 to -2."""
    if abs(base) < 2 or abs(base) > 36:
        raise ValueError("unsupported base")
    sign = ""
    if base > 0 and number < 0:
        sign = "-"
        number = -number
    digits = []
    while number != 0:
        number, rest = divmod(number, base)
        if rest < 0:
            rest -= base
            number += 1
        digits.append(DIGITS[rest])
    return sign + "".join(reversed(digits))
