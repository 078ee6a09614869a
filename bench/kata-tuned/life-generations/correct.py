def neighbours(board, row, column):
    total = 0
    for r in range(max(0, row - 1), min(len(board), row + 2)):
        for c in range(max(0, column - 1), min(len(board[0]), column + 2)):
            if (r, c) != (row, column):
                total += board[r][c]
    return total


def life(board, steps):
    for _ in range(steps):
        following = []
        for row in range(len(board)):
            line = []
            for column in range(len(board[0])):
                around = neighbours(board, row, column)
                alive = around == 3 or (board[row][column] == 1 and around == 2)
                line.append(1 if alive else 0)
            following.append(line)
        board = following
    return board
