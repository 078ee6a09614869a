def combination_sums(candidates, target):
    numbers = sorted(set(candidates))
    found = []
    path = []

    def extend(start, rest):
        if rest == 0:
            found.append(path)
            return
        for index in range(start, len(numbers)):
            if numbers[index] > rest:
                break
            path.append(numbers[index])
            extend(index, rest - numbers[index])
            path.pop()

    extend(0, target)
    return found
