def locate(matrix, target):
    if not matrix or not matrix[0]:
        return None
    row = 0
    column = len(matrix[0]) - 1
    while row < len(matrix) and column >= 0:
        value = matrix[row][column]
        if value == target:
            return [row, column]
        if value > target:
            column -= 1
        else:
            row += 1
    return None
