def rotate_clockwise(matrix, turns):
    for _ in range(turns % 4):
        if not matrix:
            break
        height = len(matrix)
        width = len(matrix[0])
        turned = [[None] * height for _ in range(width)]
        for row in range(height):
            for column in range(width):
                turned[column][height - 1 - row] = matrix[row][column]
        matrix = turned
    return matrix
