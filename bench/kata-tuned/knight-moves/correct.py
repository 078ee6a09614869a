from collections import deque

JUMPS = [(a * sx, b * sy)
         for a, b in ((1, 2), (2, 1))
         for sx in (1, -1) for sy in (1, -1)]


def knight_distance(width, height, start, goal, blocked=()):
    """Fewest knight moves from start to goal, or -1 if it cannot be reached."""
    closed = {tuple(cell) for cell in blocked}
    start, goal = tuple(start), tuple(goal)
    distance = {start: 0}
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        if cell == goal:
            return distance[cell]
        x, y = cell
        for dx, dy in JUMPS:
            new = (x + dx, y + dy)
            if not (0 <= new[0] < width and 0 <= new[1] < height):
                continue
            if new not in distance and new not in closed:
                distance[new] = distance[cell] + 1
                queue.append(new)
    return -1
