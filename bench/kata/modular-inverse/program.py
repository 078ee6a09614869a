def modular_inverse(number, modulus):
    """The x in [0, modulus) with number * x = 1, or None if there is none."""
    previous, current = number % modulus, modulus
    factor, next_factor = 1, 0
    while current != 0:
        quotient = previous // current
        previous, current = current, previous - quotient * current
        factor, next_factor = next_factor, factor - quotient * factor
    if previous != 1:
        return None
    return factor % modulus
