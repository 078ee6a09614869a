def largest_product(numbers):
    if not numbers:
        return None
    best = high = low = 1
    for number in numbers[1:]:
        candidates = (number, high * number, low * number)
        high = max(candidates)
        low = min(candidates)
        best = max(best, high)
    return best
