def read_number(formula, place):
    end = place
    while end < len(formula) and formula[end].isdigit():
        end += 1
    return int(formula[place:end] or 1), end


def count_atoms(formula):
    stack = [{}]
    place = 0
    while place < len(formula):
        if formula[place] == "(":
            stack.append({})
            place += 1
            continue
        if formula[place] == ")":
            group = stack.pop()
            end = place + 1
        else:
            end = place + 1
            while end < len(formula) and formula[end].isalpha():
                end += 1
            group = {formula[place:end]: 1}
        times, place = read_number(formula, end)
        for name, count in group.items():
            stack[-1][name] = stack[-1].get(name, 0) + count * times
    return stack[0]
