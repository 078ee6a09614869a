def hunt(grid, word):
    cells = [list(row) for row in grid]

    def match(row, col, index):
        if index == len(word):
            return True
        if not (0 <= row < len(cells) and 0 <= col < len(cells[row])):
            return False
        if cells[row][col] != word[index]:
            return False
        cells[row][col] = ""
        found = any(
            match(row + down, col + right, index + 1)
            for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0))
        )
        cells[row][col] = word[index]
        return found

    for row in range(len(cells)):
        for col in range(len(cells[row])):
            if match(row, col, 0):
                return [row, col]
    return None
