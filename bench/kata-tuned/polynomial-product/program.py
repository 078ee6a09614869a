def trim(poly):
    while len(poly) > 0 and poly[-1] == 0:
        poly.pop()
    return poly


def multiply(p, q):
    """Product of two polynomials given as coefficients, lowest power first.

    The zero polynomial is [0]; an empty list also counts as zero.
    """
    if not p or not q:
        return [0]
    result = [0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        if a == 0:
            continue
        for j, b in enumerate(q):
            result[i + j] += a * b
    return trim(result)
