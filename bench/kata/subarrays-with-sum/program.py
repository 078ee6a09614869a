def count_subarrays(values, target):
    """Number of non-empty contiguous runs whose sum is the target."""
    seen = {}
    running = 0
    count = 0
    for value in values:
        running += value
        count += seen.get(running - target, 0)
        seen[running] = seen.get(running, 0) + 1
    return count
