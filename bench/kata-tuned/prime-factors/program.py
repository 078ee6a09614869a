def prime_factors(n):
    factors = []
    p = 2
    while p * p <= n:
        power = 0
        while n % p == 0:
            n //= p
            power += 1
        if power:
            factors.append([p, power])
        p += 1
    return factors
