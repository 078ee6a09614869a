def put(result, index, value):
    if value != 0:
        result.append([index, value])


def merge(left, right, scale):
    result = []
    i = j = 0
    while i < len(left) or j < len(right):
        if j == len(right) or (i < len(left) and left[i][0] < right[j][0]):
            put(result, left[i][0], left[i][1])
            i += 1
        elif i == len(left) or right[j][0] < left[i][0]:
            put(result, right[j][0], scale * right[j][1])
            j += 1
        else:
            put(result, left[i][0], left[i][1] + scale * right[j][1])
            i += 1
            j += 1
    return result


def combine(left, right, minus=False):
    """left + right (or left - right) for sorted sparse [index, value] pairs."""
    if minus:
        return merge(right, left, -1)
    return merge(left, right, 1)
