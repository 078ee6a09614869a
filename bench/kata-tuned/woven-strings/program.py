def is_woven(a, b, mix):
    if len(a) + len(b) != len(mix):
        return False
    reach = [[False] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            if i == 0 and j == 0:
                reach[i][j] = True
                continue
            if i > 0 and a[i - 1] == mix[i + j - 1]:
                reach[i][j] = True
            if j > 0 and reach[i][j - 1] and b[j - 1] == mix[i + j - 1]:
                reach[i][j] = True
    return reach[len(a)][len(b)]
