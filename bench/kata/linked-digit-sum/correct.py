def add_numbers(a, b):
    """Sum of two numbers kept as linked digits [digit, rest], lowest first."""
    digits = []
    carry = 0
    while a or b or carry:
        total = carry
        if a:
            total += a[0]
            a = a[1]
        if b:
            total += b[0]
            b = b[1]
        carry, digit = divmod(total, 10)
        digits.append(digit)
    result = None
    for digit in reversed(digits):
        result = [digit, result]
    return result
