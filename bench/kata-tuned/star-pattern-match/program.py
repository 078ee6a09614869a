def fits(wanted, symbol):
    return wanted == symbol or wanted == "."


def matches(pattern, text):
    rows, columns = len(pattern) + 1, len(text) + 1
    good = [[False] * columns for _ in range(rows)]
    good[0][0] = True
    for p in range(1, rows):
        for t in range(columns):
            if pattern[p - 1] == "*":
                more = t > 0 and fits(pattern[p - 2], text[t - 1])
                good[p][t] = good[p - 2][t] or more
            elif t > 0 and fits(pattern[p - 1], text[t - 1]):
                good[p][t] = good[p - 1][t - 1]
    return good[-1][-1]
