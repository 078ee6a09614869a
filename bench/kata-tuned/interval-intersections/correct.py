def intersections(first, second):
    result = []
    i = j = 0
    while i < len(first) and j < len(second):
        low = max(first[i][0], second[j][0])
        high = min(first[i][1], second[j][1])
        if low <= high:
            result.append([low, high])
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return result
