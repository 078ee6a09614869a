def hanoi(disks):
    moves = []

    def move(count, source, target, spare):
        if count == 0:
            return
        move(count - 1, source, spare, target)
        moves.append([source, target])
        move(count - 1, spare, source, target)

    move(disks, "A", "C", "B")
    return moves


def peg_moves(disks, limit):
    return ["".join(pair) for pair in hanoi(disks)[:limit]]
