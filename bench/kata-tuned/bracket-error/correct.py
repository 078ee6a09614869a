def first_error(code):
    """Index of the first bracket problem in code, or -1 when balanced.

    A wrong closing bracket is reported at its own place; if brackets stay
    open, the innermost one still open is reported.
    """
    partner = {')': '(', ']': '[', '}': '{'}
    stack = []
    for i, ch in enumerate(code):
        if ch in '([{':
            stack.append((ch, i))
        elif ch in partner:
            if not stack or stack[-1][0] != partner[ch]:
                return i
            stack.pop()
    if stack:
        return stack[-1][1]
    return -1
