def gcd(a, b):
    if b == 0:
        return abs(a)
    return gcd(b, a % b)


def lcm_all(numbers):
    result = 1
    for number in numbers:
        if number == 0:
            return 0
        result = abs(result * number) // gcd(result, number)
    return result
