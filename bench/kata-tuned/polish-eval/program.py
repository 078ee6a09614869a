def apply(symbol, left, right):
    if symbol == '+':
        return left + right
    if symbol == '-':
        return left - right
    if symbol == '*':
        return left * right
    if symbol == '/':
        return left // right
    return left ** right


def evaluate(expression):
    """Evaluate a blank-separated postfix expression over integers."""
    stack = []
    for token in expression.split():
        if token in ('+', '-', '*', '/', '^'):
            b = stack.pop()
            a = stack.pop()
            stack.append(apply(token, b, a))
        else:
            stack.append(int(token))
    return stack.pop()
