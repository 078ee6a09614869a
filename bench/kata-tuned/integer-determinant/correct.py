def determinant(rows):
    size = len(rows)
    sign = previous = 1
    for step in range(size - 1):
        chosen = step
        while chosen < size and rows[chosen][step] == 0:
            chosen += 1
        if chosen == size:
            return 0
        if chosen != step:
            rows[step], rows[chosen] = rows[chosen], rows[step]
            sign = -sign
        top = rows[step]
        for row in rows[step + 1:]:
            for column in range(step + 1, size):
                row[column] = (row[column] * top[step] - row[step] * top[column]) // previous
        previous = top[step]
    return sign * rows[-1][-1]
