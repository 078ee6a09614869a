def slide(row):
    tiles = []
    merged = False
    for tile in row:
        if tile == 0:
            continue
        if tiles and tiles[-1] == tile and not merged:
            tiles[-1] *= 2
            merged = True
        else:
            tiles.append(tile)
            merged = False
    return tiles + [0] * (len(row) - len(tiles))


def move(board, direction):
    if direction in ("up", "down"):
        turned = [list(line) for line in zip(*board)]
        moved = move(turned, "left" if direction == "up" else "right")
        return [list(line) for line in zip(*moved)]
    if direction == "right":
        return [slide(row[::-1])[::-1] for row in board]
    return [slide(row) for row in board]
