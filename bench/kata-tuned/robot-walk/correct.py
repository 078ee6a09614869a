STEPS = [(0, 1), (1, 0), (0, -1), (-1, 0)]


def walk(commands):
    x = y = 0
    facing = 0
    for command in commands:
        if command == "R":
            facing = (facing + 1) % 4
        elif command == "L":
            facing = (facing - 1) % 4
        elif command == "F":
            x += STEPS[facing][0]
            y += STEPS[facing][1]
    return [x, y, "NESW"[facing]]
