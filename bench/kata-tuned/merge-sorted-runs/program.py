def merge(first, second):
    merged = []
    i = j = 0
    while i < len(first) or j < len(second):
        if j == len(second) or first[i] <= second[j]:
            merged.append(first[i])
            i += 1
        else:
            merged.append(second[j])
            j += 1
    return merged


def merge_runs(runs):
    if not runs:
        return []
    while len(runs) > 1:
        runs.append(merge(runs.pop(0), runs.pop(0)))
    return runs[0]
