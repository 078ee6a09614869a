def replay(capacity, operations):
    values, uses, stamp = {}, {}, {}
    answers = []
    for clock, (name, key, *rest) in enumerate(operations):
        if name == "get":
            answers.append(values.get(key, -1))
            if key in values:
                continue
        elif key not in values and len(values) == capacity:
            victim = min(values, key=lambda other: (uses[other], stamp[other]))
            for table in (values, uses, stamp):
                del table[victim]
        if rest:
            values[key] = rest[0]
        uses[key] = uses.get(key, 0) + 1
        stamp[key] = clock
    return answers
