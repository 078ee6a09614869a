def fewest_jumps(reach):
    jumps = 0
    current_end = 0
    furthest = 0
    for i in range(len(reach) - 1):
        furthest = max(furthest, i + reach[i])
        if i == current_end:
            if furthest == i:
                return -1
            jumps += 1
            current_end = i + reach[i]
    return jumps
