def hanoi(disks, start, goal):
    moves = []

    def move(count, source, target, spare):
        if count == 0:
            return
        move(count - 1, source, spare, target)
        moves.append([source, target])
        move(count - 1, spare, source, target)

    if start != goal:
        move(disks, start, goal, 6 - start - goal)
    return moves
