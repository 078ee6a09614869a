def best_circular_run(values):
    total = 0
    best = 0
    worst = values[0]
    ending_high = 0
    ending_low = 0
    for value in values:
        ending_high = max(ending_high, 0) + value
        best = max(best, ending_high)
        ending_low = min(ending_low, 0) + value
        worst = min(worst, ending_low)
        total += value
    if best < 0:
        return best
    return max(best, total - worst)
