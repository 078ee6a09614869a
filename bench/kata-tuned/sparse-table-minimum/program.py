def range_minima(values, queries):
    table = [values]
    span = 1
    while 2 * span <= len(values):
        row = table[-1]
        table.append([min(row[i], row[i + span]) for i in range(len(row) - span)])
        span *= 2
    answers = []
    for first, last in queries:
        level = (last - first + 1).bit_length() - 1
        row = table[level]
        answers.append(min(row[first], row[last - (1 << level)]))
    return answers
