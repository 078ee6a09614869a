def is_magic(square):
    """Whether all rows, columns and both diagonals have the same sum."""
    size = len(square)
    target = sum(square[0])
    rows = all(sum(row) == target for row in square)
    columns = all(sum(col) == target for col in zip(*square))
    falling = sum(square[i][i] for i in range(size))
    rising = sum(square[i][size - 1 - i] for i in range(size))
    return rows and columns and falling == target and rising == target
