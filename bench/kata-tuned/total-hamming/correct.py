def total_hamming_distance(numbers):
    total = 0
    remaining = list(numbers)
    while any(remaining):
        ones = 0
        for i, number in enumerate(remaining):
            ones += number & 1
            remaining[i] = number >> 1
        total += ones * (len(numbers) - ones)
    return total
