from math import gcd


def mixed_number(top, bottom):
    sign = "-" if (top < 0) != (bottom < 0) and top != 0 else ""
    whole, rest = divmod(abs(top), abs(bottom))
    shared = gcd(rest, bottom)
    parts = []
    if whole or not rest:
        parts.append(str(whole))
    if rest:
        parts.append("%d/%d" % (rest // shared, abs(bottom) // shared))
    return sign + " ".join(parts)
