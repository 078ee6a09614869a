from functools import lru_cache


@lru_cache(maxsize=None)
def trials(eggs, floors):
    if floors == 0:
        return 0
    if eggs == 1:
        return floors
    worst_cases = (
        max(trials(eggs - 1, floor - 1), trials(eggs, floors - floor))
        for floor in range(1, floors + 1)
    )
    return 1 + min(worst_cases)
