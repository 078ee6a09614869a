def merge(first, second):
    merged = []
    i = j = 0
    while i < len(first) and j < len(second):
        if second[j][1] < first[i][1]:
            merged.append(second[j])
            j += 1
        else:
            merged.append(first[i])
            i += 1
    merged.extend(first[i:])
    merged.extend(second[j:])
    return merged


def sort_by_score(records):
    """Sort [name, score] records by score; equal scores keep their order."""
    if len(records) <= 1:
        return records
    half = len(records) // 2
    lower = sort_by_score(records[:half])
    upper = sort_by_score(records[half:])
    return merge(upper, lower)
