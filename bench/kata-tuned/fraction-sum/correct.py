from math import gcd


def add_fractions(text):
    top, bottom = 0, 1
    for term in text.split("+"):
        n, _, d = term.strip().partition("/")
        n, d = int(n), int(d or 1)
        top, bottom = top * d + n * bottom, bottom * d
        common = gcd(top, bottom)
        top, bottom = top // common, bottom // common
    whole, rest = divmod(top, bottom)
    if rest == 0:
        return str(whole)
    return (f"{whole} " if whole else "") + f"{rest}/{bottom}"
