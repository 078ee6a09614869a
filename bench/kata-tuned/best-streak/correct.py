def best_streak(numbers):
    best = numbers[0]
    start = end = begin = 0
    current = 0
    for index, number in enumerate(numbers):
        current += number
        if current > best:
            best = current
            start, end = begin, index
        if current < 0:
            current = 0
            begin = index + 1
    return [best, start, end]
