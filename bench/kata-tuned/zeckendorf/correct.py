def zeckendorf(n):
    """Non-consecutive Fibonacci numbers that sum to n, largest first."""
    if n < 0:
        raise ValueError("n must not be negative")
    fibs = []
    a, b = 1, 2
    while a <= n:
        fibs.append(a)
        a, b = b, a + b
    parts = []
    for f in reversed(fibs):
        if f <= n:
            parts.append(f)
            n -= f
    return parts
