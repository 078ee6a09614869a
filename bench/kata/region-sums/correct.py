def region_sums(grid, regions):
    """Sum of the grid over each [top, left, bottom, right], bounds included."""
    rows, cols = len(grid), len(grid[0])
    prefix = [[0] * (cols + 1) for _ in range(rows + 1)]
    for r in range(rows):
        for c in range(cols):
            above = prefix[r][c + 1] + prefix[r + 1][c] - prefix[r][c]
            prefix[r + 1][c + 1] = grid[r][c] + above
    sums = []
    for top, left, bottom, right in regions:
        whole = prefix[bottom + 1][right + 1]
        overlap = prefix[top][left]
        outside = prefix[top][right + 1] + prefix[bottom + 1][left]
        sums.append(whole - outside + overlap)
    return sums
