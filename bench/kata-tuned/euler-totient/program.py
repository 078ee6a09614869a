def totient(number):
    result = number
    rest = number
    factor = 2
    while factor * factor <= rest:
        if rest % factor == 0:
            while rest % factor == 0:
                rest //= factor
            result -= result // factor
        factor += 1
    if rest > 1:
        result -= result % rest
    return result
