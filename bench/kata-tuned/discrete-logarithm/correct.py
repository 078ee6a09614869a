from math import isqrt


def discrete_log(base, target, modulus):
    step = isqrt(modulus) + 1
    table = {}
    power = 1 % modulus
    for exponent in range(step):
        table.setdefault(power, exponent)
        power = power * base % modulus
    back = pow(base, -step, modulus)
    current = target % modulus
    for giant in range(step):
        if current in table:
            return giant * step + table[current]
        current = current * back % modulus
    return None
