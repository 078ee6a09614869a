def power_modulo(base, exponent, modulus):
    """base ** exponent % modulus, by repeated squaring."""
    base %= modulus
    if exponent == 1:
        return base
    half = power_modulo(base, exponent // 2, modulus)
    square = half * half % modulus
    if exponent % 2 == 1:
        square = square * base % modulus
    return square
