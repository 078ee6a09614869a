def clashes(grid, r, c, value):
    return value in grid[r] or any(row[c] == value for row in grid)


def solve(grid):
    size = len(grid)
    for r in range(size):
        for c in range(size):
            if grid[r][c]:
                continue
            for value in range(1, size + 1):
                if not clashes(grid, r, c, value):
                    grid[r][c] = value
                    if solve(grid):
                        return True
                    grid[r][c] = 0
            return False
    return True


def fill(grid):
    return grid if solve(grid) else None
