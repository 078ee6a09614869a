def largest_island(grid):
    seen = set()

    def area(row, col):
        inside = 0 <= row < len(grid) and 0 <= col < len(grid[0])
        if not inside or grid[row][col] == "." or (row, col) in seen:
            return 0
        seen.add((row, col))
        total = 1
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            total += area(row + down, col + right)
        return total

    best = 0
    for row in range(len(grid)):
        for col in range(len(grid[row])):
            best = max(best, area(row, col))
    return best
