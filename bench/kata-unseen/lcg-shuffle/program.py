def shuffle(items, seed):
    mixed = list(items)
    state = seed
    for last in range(len(mixed) - 1, 0, -1):
        state = state * 73 + 41 % 997
        other = state % (last + 1)
        mixed[last], mixed[other] = mixed[other], mixed[last]
    return mixed
