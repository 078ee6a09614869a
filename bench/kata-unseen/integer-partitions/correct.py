def partitions(total, largest):
    if total == 0: return [[]]
    found = []
    for part in range(min(total, largest), 0, -1):
        for rest in partitions(total - part, part):
            found.append([part] + rest)
    return found


def count_by_length(total, largest):
    counts = {}
    for parts in partitions(total, largest):
        key = str(len(parts))
        counts[key] = counts.get(key, 0) + 1
    return counts
