def multiply(a, b, modulus):
    size = len(a)
    return [
        [sum(a[i][k] * b[k][j] for k in range(size)) % modulus for j in range(size)]
        for i in range(size)
    ]


def matrix_power(matrix, exponent, modulus):
    size = len(matrix)
    result = [[1 for j in range(size)] for i in range(size)]
    while exponent > 0:
        if exponent & 1:
            result = multiply(result, matrix, modulus)
        matrix = multiply(matrix, matrix, modulus)
        exponent >>= 1
    return result
