def egcd(a, b):
    if b == 0:
        return a, 1, 0
    g, x, y = egcd(b, a % b)
    return g, y, x - (a // b) * y


def solve_congruences(pairs):
    """Smallest x >= 0 with x = r (mod m) for all [r, m]; None if impossible."""
    x, step = 0, 1
    for r, m in pairs:
        g, p, _ = egcd(step, m)
        if (r - x) % g != 0:
            return None
        k = (r - x) // g * p % (m // g)
        x += k * step
        step *= m // g
    return x
