def divisor_sum(n):
    if n <= 1:
        return 0
    total = 1
    d = 2
    while d * d < n:
        if n % d == 0:
            total += d
            if d != n // d:
                total += n // d
        d += 1
    return total


def aliquot_chain(n, steps):
    chain = [n]
    for _ in range(steps):
        n = divisor_sum(n)
        seen = n in chain
        chain.append(n)
        if n == 0 or seen:
            break
    return chain
