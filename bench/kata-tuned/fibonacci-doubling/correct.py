def fibonacci_mod(n, modulus):
    def pair(k):
        if k == 0:
            return 0, 1
        a, b = pair(k // 2)
        c = a * (2 * b - a) % modulus
        d = (a * a + b * b) % modulus
        if k % 2 == 0:
            return c, d
        return d, (c + d) % modulus

    return pair(n)[0] % modulus
