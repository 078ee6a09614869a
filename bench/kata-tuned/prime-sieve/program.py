def primes_up_to(limit):
    if limit < 2:
        return []
    composite = [False] * (limit + 1)
    primes = []
    for number in range(2, limit):
        if composite[number]:
            continue
        primes.append(number)
        for multiple in range(number * number, limit + 1, number):
            composite[multiple] = True
    return primes
