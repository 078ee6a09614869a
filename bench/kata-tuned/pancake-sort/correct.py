def flip(stack, count):
    return stack[:count][::-1] + stack[count:]


def pancake_sort(stack):
    flips = []
    for size in range(len(stack), 1, -1):
        largest = stack.index(max(stack[:size]))
        if largest == size - 1:
            continue
        for count in (largest + 1, size):
            if count > 1:
                stack = flip(stack, count)
                flips.append(count)
    return [stack, flips]
