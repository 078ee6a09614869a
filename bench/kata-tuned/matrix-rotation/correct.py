def transpose(matrix):
    return [list(row) for row in zip(*matrix)]


def rotate(matrix, quarters):
    """Rotate clockwise by quarter turns; a negative count turns the other way."""
    result = [list(row) for row in matrix]
    turns = quarters % 4
    if turns == 1:
        return transpose(result[::-1])
    if turns == 2:
        return [row[::-1] for row in reversed(result)]
    if turns == 3:
        return transpose(result)[::-1]
    return result
