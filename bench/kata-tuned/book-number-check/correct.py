def valid_isbn(code):
    code = code.replace("-", "")
    if len(code) == 13 and code.isdigit():
        total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(code))
        return total % 10 == 0
    if len(code) != 10 or not code[:9].isdigit():
        return False
    if not (code[9].isdigit() or code[9] == "X"):
        return False
    digits = [10 if d == "X" else int(d) for d in code]
    total = sum(weight * digit for weight, digit in zip(range(10, 0, -1), digits))
    return total % 11 == 0
