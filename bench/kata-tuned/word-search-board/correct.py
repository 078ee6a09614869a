def contains_word(board, word):
    height, width = len(board), len(board[0])

    def follow(row, column, index, used):
        if index == len(word):
            return True
        if not (0 <= row < height and 0 <= column < width):
            return False
        if (row, column) in used or board[row][column] != word[index]:
            return False
        used = used | {(row, column)}
        for dr, dc in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            if follow(row + dr, column + dc, index + 1, used):
                return True
        return False

    return any(follow(r, c, 0, set()) for r in range(height) for c in range(width))
