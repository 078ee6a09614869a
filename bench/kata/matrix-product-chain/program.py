def multiply(a, b):
    inner = len(b)
    product = []
    for row in a:
        line = []
        for col in range(len(b[0])):
            line.append(sum(row[k] * b[k][col] for k in range(inner)))
        product.append(line)
    return product


def product_chain(matrices):
    """Product of the matrices in the order in which they are listed."""
    total = matrices[0]
    for matrix in matrices[1:]:
        total = multiply(matrix, total)
    return total
