def least_rotation(text):
    size = len(text)
    first, second, matched = 0, 1, 0
    while first < size and second < size and matched < size:
        a = text[(first + matched) % size]
        b = text[(second + matched) % size]
        if a == b:
            matched += 1
            continue
        if a > b:
            first += matched + 1
        else:
            second += matched + 1
        if first == second:
            second += 1
        matched = 0
    return min(first, second)
