def evaluate(tokens):
    stack = []
    for token in tokens.split():
        if token == "not":
            stack.append(not stack.pop())
        elif token in ("and", "or", "xor"):
            right = stack.pop()
            left = stack.pop()
            if token == "and":
                stack.append(left and right)
            elif token == "or":
                stack.append(left or right)
            else:
                stack.append(left != right)
        else:
            stack.append(token == "true")
    return stack.pop() if len(stack) == 1 else None
