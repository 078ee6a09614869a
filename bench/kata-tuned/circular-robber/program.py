def best_in_row(houses):
    skipped, taken = 0, 0
    for value in houses:
        skipped, taken = max(skipped, taken), skipped + value
    return max(skipped, taken)


def best_loot(houses):
    if len(houses) == 1:
        return houses[0]
    return max(best_in_row(houses[:-1]), best_in_row(houses[2:]))
