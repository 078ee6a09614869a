def count_partitions(total, largest, memo=None):
    """Ways to write total as an unordered sum of positive parts <= largest."""
    if memo is None:
        memo = {}
    if total == 0:
        return 1
    key = (total, largest)
    if key not in memo:
        ways = count_partitions(total, largest - 1, memo)
        if total >= largest:
            ways += count_partitions(total - largest, largest, memo)
        memo[key] = ways
    return memo[key]
