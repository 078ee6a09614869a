def small_binomial(n, k, prime):
    if k > n:
        return 0
    top = bottom = 1
    for i in range(k):
        top = top * (n - i) % prime
        bottom = bottom * (i + 1) % prime
    return top * pow(bottom, prime - 2, prime) % prime


def binomial_modulo(n, k, prime):
    result = 1
    while n or k:
        n, upper = divmod(n, prime)
        k, lower = divmod(k, prime)
        result = result * small_binomial(lower, upper, prime) % prime
    return result
