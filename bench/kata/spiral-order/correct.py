def spiral_order(grid):
    """Entries of a rectangular grid, read clockwise from the outside in."""
    if not grid or not grid[0]:
        return []
    top, bottom = 0, len(grid) - 1
    left, right = 0, len(grid[0]) - 1
    path = []
    while top <= bottom and left <= right:
        for col in range(left, right + 1):
            path.append(grid[top][col])
        for row in range(top + 1, bottom + 1):
            path.append(grid[row][right])
        if top < bottom and left < right:
            for col in range(right - 1, left - 1, -1):
                path.append(grid[bottom][col])
            for row in range(bottom - 1, top, -1):
                path.append(grid[row][left])
        top, bottom = top + 1, bottom - 1
        left, right = left + 1, right - 1
    return path
