def abundance_report(limit):
    """Lists of perfect and abundant numbers from 1 to limit inclusive."""
    sums = [0] * (limit + 1)
    for d in range(1, limit + 1):
        for multiple in range(2 * d, limit, d):
            sums[multiple] += d
    perfect, abundant = [], []
    for n in range(1, limit + 1):
        if sums[n] == n:
            perfect.append(n)
        elif sums[n] > n:
            abundant.append(n)
    return [perfect, abundant]
