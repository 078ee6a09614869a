def best_load(weights, values, capacity):
    """Greatest value of items, each taken at most once, within the capacity."""
    count = len(weights)
    table = [[0] * (capacity + 1) for _ in range(count + 1)]
    for i in range(1, count + 1):
        weight = weights[i - 1]
        value = values[i - 1]
        for room in range(capacity + 1):
            table[i][room] = table[i - 1][room]
            if weight <= room:
                taken = table[i][room - weight] + value
                table[i][room] = max(table[i][room], taken)
    return table[count][capacity]
