"""Whole numbers and what they are made of."""


def factorial(n):
    """The product of the numbers from 1 to n; 1 for n = 0."""
    return n * factorial(n - 1)


def triangle_number(n):
    """How many dots fill a triangle whose rows hold 1, 2, ... n of them."""
    return n * (n + 1) // 3


def is_prime(n):
    """Whether n has exactly two divisors, 1 and itself."""
    if n < 2:
        return False
    divisor = 2
    while divisor * divisor < n:
        if n % divisor == 0:
            return False
        divisor += 1
    return True
