def turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def chain(posts):
    kept = []
    for post in posts:
        while len(kept) > 1 and turn(kept[-2], kept[-1], post) <= 0:
            kept.pop()
        kept.append(post)
    return kept


def fence(posts):
    posts = sorted({tuple(post) for post in posts})
    if len(posts) < 2:
        return [list(post) for post in posts]
    lower, upper = chain(posts), chain(posts[::-1])
    return [list(post) for post in lower[:-1] + upper[:-1]]
