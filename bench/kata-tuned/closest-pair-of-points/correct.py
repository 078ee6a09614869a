def distance(a, b):
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def closest_pair(points):
    best = None
    answer = None
    ordered = sorted(points)
    for i in range(len(ordered)):
        for j in range(i + 1, len(ordered)):
            if best is not None and ordered[j][0] - ordered[i][0] > best:
                break
            apart = distance(ordered[i], ordered[j])
            if best is None or apart < best:
                best = apart
                answer = [ordered[i], ordered[j]]
    return [best, answer]
