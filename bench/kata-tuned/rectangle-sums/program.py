def rectangle_sums(grid, queries):
    """Sums over rectangles [row1, col1, row2, col2], borders included."""
    rows = len(grid)
    cols = len(grid[0]) if grid else 0
    prefix = [[0] * (cols + 1) for _ in range(rows + 1)]
    for r in range(rows):
        for c in range(cols):
            above = prefix[r][c + 1]
            left = prefix[r + 1][c]
            prefix[r + 1][c + 1] = grid[r][c] + above + left - prefix[r][c]
    answers = []
    for r1, c1, r2, c2 in queries:
        whole = prefix[r2 + 1][c2 + 1]
        above = prefix[r1][c2 + 1]
        left = prefix[r2][c1]
        answers.append(whole - above - left + prefix[r1][c1])
    return answers
