from math import factorial


def ranked_permutation(text, rank):
    pool = sorted(text)
    picked = []
    rank -= 1
    while pool:
        block = factorial(len(pool) - 1)
        position, rank = divmod(rank, block)
        picked.append(pool.pop(position))
    return "".join(picked)
