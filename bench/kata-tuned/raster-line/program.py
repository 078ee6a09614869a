def line_cells(x, y, end_x, end_y):
    wide = abs(end_x - x)
    tall = -abs(end_y - y)
    step_x = 1 if x < end_x else -1
    step_y = 1 if y < end_y else -1
    error = wide - tall
    cells = [[x, y]]
    for _ in range(max(wide, -tall)):
        twice = 2 * error
        if twice >= tall:
            error += tall
            x += step_x
        if twice <= wide:
            error += wide
            y += step_y
        cells.append([x, y])
    return cells
