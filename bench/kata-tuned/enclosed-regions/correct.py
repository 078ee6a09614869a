def enclosed_areas(grid):
    """Sorted sizes of the '.' areas that do not touch the border of the grid."""
    height = len(grid)
    width = len(grid[0]) if grid else 0
    seen = set()
    areas = []
    for y in range(height):
        for x in range(width):
            if grid[y][x] != "." or (y, x) in seen:
                continue
            stack = [(y, x)]
            seen.add((y, x))
            size = 0
            border = False
            while stack:
                cy, cx = stack.pop()
                size += 1
                if cy in (0, height - 1) or cx in (0, width - 1):
                    border = True
                for ny, nx in ((cy - 1, cx), (cy + 1, cx), (cy, cx - 1), (cy, cx + 1)):
                    if 0 <= ny < height and 0 <= nx < width:
                        if grid[ny][nx] == "." and (ny, nx) not in seen:
                            seen.add((ny, nx))
                            stack.append((ny, nx))
            if not border:
                areas.append(size)
    return sorted(areas)
