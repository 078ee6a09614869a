def stamp_rectangles(rows, cols, stamps):
    """Grid of zeros after adding [top, left, bottom, right, amount] stamps."""
    change = [[0] * (cols + 1) for _ in range(rows)]
    for top, left, bottom, right, amount in stamps:
        for row in range(top, bottom + 1):
            change[row][left] += amount
            change[row][right + 1] -= amount
    grid = []
    for deltas in change:
        line, level = [], 0
        for delta in deltas[:cols]:
            level += delta
            line.append(level)
        grid.append(line)
    return grid
