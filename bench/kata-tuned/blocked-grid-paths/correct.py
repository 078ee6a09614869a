from functools import lru_cache


def count_paths(grid):
    rows, columns = len(grid), len(grid[0])

    @lru_cache(maxsize=None)
    def paths(r, c):
        if r >= rows or c >= columns: return 0
        if grid[r][c] == "#": return 0
        if r == rows - 1 and c == columns - 1: return 1
        return paths(r + 1, c) + paths(r, c + 1)

    return paths(0, 0)
