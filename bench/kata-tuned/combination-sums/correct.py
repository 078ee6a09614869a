def combination_sums(candidates, target):
    candidates = sorted(set(candidates))
    found = []

    def extend(start, remaining, chosen):
        if remaining == 0:
            found.append(chosen)
            return
        if remaining < 0: return
        for index in range(start, len(candidates)):
            value = candidates[index]
            extend(index, remaining - value, chosen + [value])

    extend(0, target, [])
    return found
