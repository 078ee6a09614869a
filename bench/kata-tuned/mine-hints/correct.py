def hints(board):
    """Replace '.' cells by the number of neighbouring mines '*'."""
    rows = len(board)
    result = []
    for r in range(rows):
        line = ''
        cols = len(board[r])
        for c in range(cols):
            if board[r][c] == '*':
                line += '*'
                continue
            near = 0
            for y in range(r - 1, r + 2):
                for x in range(c - 1, c + 2):
                    if 0 <= y < rows and 0 <= x < cols:
                        near += board[y][x] == '*'
            line += str(near)
        result.append(line)
    return result
