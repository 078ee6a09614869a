def double_area(polygon):
    """Twice the area of a simple polygon of integer [x, y] corners."""
    total = 0
    count = len(polygon)
    for i in range(count):
        x1, y1 = polygon[i]
        x2, y2 = polygon[(i + 1) % count]
        total += x1 * y2 - x2 * y1
    return total
