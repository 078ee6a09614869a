def saddle_points(grid):
    points = []
    for r, row in enumerate(grid):
        tallest = max(row)
        for c, height in enumerate(row):
            column = [row[c] for line in grid]
            if height == tallest and height == min(column):
                points.append([r + 1, c + 1])
    return points
