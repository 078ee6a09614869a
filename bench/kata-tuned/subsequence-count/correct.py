from functools import lru_cache


def occurrences(text, target):
    @lru_cache(maxsize=None)
    def count(i, j):
        if j == len(target): return 1
        if i == len(text): return 0
        total = count(i + 1, j)
        if text[i] == target[j]:
            total += count(i + 1, j + 1)
        return total

    return count(0, 0)
