def count_islands(grid):
    seen = set()
    islands = 0
    for row, line in enumerate(grid):
        for column, cell in enumerate(line):
            if cell != "#" or (row, column) in seen:
                continue
            islands += 1
            stack = [(row, column)]
            while stack:
                r, c = stack.pop()
                if not (0 <= r < len(grid) and 0 <= c < len(grid[0])):
                    continue
                if (r, c) in seen or grid[r][c] != "#":
                    continue
                seen.add((r, c))
                stack += [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
    return islands
