def dense_rank(scores):
    ordered = sorted(set(scores), reverse=True)
    ranks = {}
    for position, score in enumerate(ordered, start=1):
        ranks[score] = position
    return [ranks[score] for score in scores]


def standings(results):
    ranks = dense_rank([points for name, points in results])
    placed = sorted((rank, name) for rank, (name, points) in zip(ranks, results))
    return [f"{rank}. {name}" for rank, name in placed]
