def evaluate(node):
    if isinstance(node, int): return node
    operator, *operands = node
    values = [evaluate(item) for item in operands]
    if operator == "neg":
        return -values[0]
    if operator == "+":
        return sum(values)
    if operator == "max":
        return max(values)
    product = 1
    for value in values:
        product *= value
    return product
