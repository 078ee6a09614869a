def cube_root(number):
    if number < 0:
        return -cube_root(-number)
    low, high = 0, 1
    while high ** 3 <= number:
        high *= 2
    while high - low > 1:
        middle = low + high // 2
        if middle ** 3 <= number:
            low = middle
        else:
            high = middle
    return low
