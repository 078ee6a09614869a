def determinant(matrix):
    if not matrix:
        return 1
    top, *rest = matrix
    total = 0
    sign = 1
    for column, factor in enumerate(top):
        if factor:
            minor = [row[:column] + row[column:] for row in rest]
            total += sign * factor * determinant(minor)
        sign = -sign
    return total
