def largest_island(grid):
    """Size of the largest 4-connected group of '#' cells."""
    rows = len(grid)
    seen = set()
    best = 0
    for r in range(rows):
        for c in range(len(grid[r])):
            if grid[r][c] != '#' or (r, c) in seen:
                continue
            stack = [(r, c)]
            size = 0
            while stack:
                y, x = stack.pop()
                size += 1
                for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                    ny, nx = y + dy, x + dx
                    if 0 <= ny < rows and 0 <= nx < len(grid[ny]):
                        if grid[ny][nx] == '#' and (ny, nx) not in seen:
                            seen.add((ny, nx))
                            stack.append((ny, nx))
            best = max(best, size)
    return best
