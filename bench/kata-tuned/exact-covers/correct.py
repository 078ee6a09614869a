def exact_covers(size, pieces):
    sets = [set(piece) for piece in pieces]

    def solve(left, chosen):
        if not left: return [sorted(chosen)]
        covers = []
        hardest = min(left, key=lambda item: sum(item in piece for piece in sets))
        for index, piece in enumerate(sets):
            if hardest in piece and piece <= left:
                covers += solve(left - piece, chosen + [index])
        return covers

    return sorted(solve(set(range(size)), []))
