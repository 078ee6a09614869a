LIMITS = [(0, 59), (0, 23), (1, 31)]


def part_allows(part, value, low, high):
    base, _, step = part.partition("/")
    if "-" in base:
        low, high = map(int, base.split("-"))
    elif base != "*":
        low = high = int(base)
    return low <= value <= high and (value - low) % int(step or 1) == 0


def is_due(line, moment):
    for field, value, (low, high) in zip(line.split(), moment, LIMITS):
        if not any(part_allows(part, value, low, high) for part in field.split(",")):
            return False
    return True
