def winner_of(cells):
    first = cells[0]
    return first if first != "." and all(c == first for c in cells) else None


def verdict(board):
    size = len(board)
    lines = [list(row) for row in board]
    lines += [[row[c] for row in board] for c in range(size)]
    lines.append([board[i][i] for i in range(size)])
    lines.append([board[size - 1 - i][size - 1 - i] for i in range(size)])
    for cells in lines:
        player = winner_of(cells)
        if player:
            return player
    return "open" if any("." in row for row in board) else "draw"
