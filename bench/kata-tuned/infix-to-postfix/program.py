RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}


def to_postfix(expression):
    output = []
    operators = []
    for token in expression.split():
        if token in RANK:
            while operators and operators[-1] != "(":
                top = operators[-1]
                if RANK[top] < RANK[token] or (RANK[top] == RANK[token] and token == "^"):
                    break
                output.append(operators.pop())
            operators.append(token)
        elif token == "(":
            operators.append(token)
        elif token == ")":
            while operators[-1] != "(":
                output.append(token)
            operators.pop()
        else:
            output.append(token)
    while operators:
        output.append(operators.pop())
    return " ".join(output)
