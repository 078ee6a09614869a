def edit_script(old, new):
    rows, cols = len(old), len(new)
    common = [[0] * (cols + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(cols - 1, -1, -1):
            if old[i] == new[j]:
                common[i][j] = common[i + 1][j + 1] + 1
            else:
                common[i][j] = max(common[i + 1][j], common[i][j + 1])
    script = []
    i = j = 0
    while i < rows or j < cols:
        if i < rows and j < cols and old[i] == new[j]:
            script.append("=" + old[i])
            i += 1
            j += 1
        elif j == cols or (i < rows and common[i + 1][j] >= common[i][j + 1]):
            script.append("-" + old[i])
            i += 1
        else:
            script.append("+" + new[i])
            j += 1
    return script
