def count_placements(size, holes):
    """Ways to put peaceful queens in all rows, none on a [row, col] hole."""
    blocked = {(row, col) for row, col in holes}
    columns, falling, rising = set(), set(), set()

    def place(row):
        if row == size:
            return 1
        ways = 0
        for col in range(size):
            if (row, col) in blocked or col in columns:
                continue
            if row - col in falling:
                continue
            columns.add(col)
            falling.add(row - col)
            rising.add(row + col)
            ways += place(row + 1)
            columns.remove(col)
            falling.remove(row - col)
            rising.remove(row + col)
        return ways

    return place(0)
