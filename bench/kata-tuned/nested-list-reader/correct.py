def read_list(text):
    stack = [[]]
    number = ""
    for character in text:
        if character.isdigit() or character == "-":
            number += character
            continue
        if number:
            stack[-1].append(int(number))
            number = ""
        if character == "[":
            stack.append([])
        elif character == "]":
            finished = stack.pop()
            stack[-1].append(finished)
    return stack[0][0]


def weighted_sum(text):
    def weigh(items, depth):
        total = 0
        for item in items:
            total += weigh(item, depth + 1) if isinstance(item, list) else item * depth
        return total

    items = read_list(text)
    return weigh(items, 1) if isinstance(items, list) else None
