def square_digits(number):
    total = 0
    while number > 0:
        number, digit = divmod(number, 10)
        total += digit ** 2
    return total


def happy_steps(number):
    """Steps from a number to 1 by summing squared digits; -1 if never."""
    seen = set()
    steps = 0
    while number != 1:
        if number in seen:
            return -1
        seen.add(number)
        number = square_digits(number)
        steps += 1
    return steps
