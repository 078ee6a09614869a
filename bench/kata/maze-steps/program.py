from collections import deque


def maze_steps(maze):
    """Fewest steps from S to E around the # walls; -1 if there is no way."""
    cells = {}
    for row, line in enumerate(maze):
        for col, char in enumerate(line):
            if char != "#":
                cells[(row, col)] = char
    steps = {}
    queue = deque()
    for place, char in cells.items():
        if char == "S":
            steps[place] = 0
            queue.append(place)
    while queue:
        row, col = queue.pop()
        if cells[(row, col)] == "E":
            return steps[(row, col)]
        for place in ((row + 1, col), (row - 1, col), (row, col + 1), (row, col - 1)):
            if place in cells and place not in steps:
                steps[place] = steps[(row, col)] + 1
                queue.append(place)
    return -1
