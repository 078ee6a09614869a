def ahead(a, b):
    if a["points"] != b["points"]:
        return a["points"] > b["points"]
    return a["team"] < b["team"]


def league_table(rows):
    for i in range(len(rows)):
        best = i
        for j in range(i + 1, len(rows)):
            if ahead(rows[j], rows[i]):
                best = j
        rows[i], rows[best] = rows[best], rows[i]
    return [f"{n}. {row['team']} {row['points']}" for n, row in enumerate(rows, 1)]
