def transform(text):
    text += "$"
    rotations = sorted(text[i:] + text[:i] for i in range(len(text)))
    return "".join(rotation[-1] for rotation in rotations)


def restore(code):
    table = [""] * len(code)
    for _ in code:
        table = sorted(char + row for char, row in zip(code, table))
    for row in table:
        if row.endswith("$"):
            return row[:-1]
    return ""


def round_trip(text):
    code = transform(text)
    return [code, restore(code)]
