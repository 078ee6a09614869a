def linear_sequence(seed, multiplier, increment, modulus, count):
    state = seed % modulus
    values = []
    for _ in range(count):
        state = multiplier * state + increment % modulus
        values.append(state)
    return values


def period(seed, multiplier, increment, modulus):
    values = linear_sequence(seed, multiplier, increment, modulus, 2 * modulus)
    last = values[-1]
    for distance in range(1, modulus + 1):
        if values[-1 - distance] == last:
            return distance
    return 0
