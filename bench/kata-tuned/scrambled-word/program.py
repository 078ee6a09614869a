from functools import lru_cache


@lru_cache(maxsize=None)
def is_scramble(first, second):
    if sorted(first) != sorted(second): return False
    size = len(first)
    for cut in range(1, size):
        kept = is_scramble(first[:cut], second[:cut])
        if kept and is_scramble(first[cut:], second[cut:]):
            return True
        moved = is_scramble(first[:cut], second[size - cut:])
        if moved and is_scramble(first[cut:], second[:size - cut]):
            return True
    return False
