import re

PRIORITY = {"+": 1, "-": 1, "*": 2, "%": 2, "^": 3}


def apply(op, b, a):
    return {"+": a + b, "-": a - b, "*": a * b,
            "%": a % b if op == "%" else 0, "^": a ** b if op == "^" else 0}[op]


def evaluate(text):
    """Value of an integer expression with + - * % ^ and parentheses."""
    values, ops = [], []
    for token in re.findall(r"[0-9]+|[-+*%^()]", text):
        if token.isdigit():
            values.append(int(token))
        elif token == "(":
            ops.append(token)
        elif token == ")":
            while ops[-1] != "(":
                values.append(apply(ops.pop(), values.pop(), values.pop()))
            ops.pop()
        else:
            rank = PRIORITY[token]
            while ops and ops[-1] != "(" and (PRIORITY[ops[-1]] > rank or PRIORITY[ops[-1]] == rank and token != "^"):
                values.append(apply(ops.pop(), values.pop(), values.pop()))
            ops.append(token)
    while ops:
        values.append(apply(ops.pop(), values.pop(), values.pop()))
    return values[0]
