def quotients(top, bottom):
    terms = []
    while bottom:
        term, rest = divmod(top, bottom)
        terms.append(term)
        top, bottom = bottom, rest
    return terms


def convergents(top, bottom):
    result = []
    before, last = [0, 1], [1, 0]
    for term in quotients(top, bottom):
        current = [term * last[0] + before[0], term * last[1] + before[1]]
        result.append(current)
        before, last = last, current
    return result
