from collections import Counter

ORDER = "23456789TJQKA"
SHAPES = {
    (4, 1): "four of a kind", (3, 2): "full house", (3, 1, 1): "three of a kind",
    (2, 2, 1): "two pairs", (2, 1, 1, 1): "one pair",
}


def is_straight(ranks):
    if ranks == [0, 1, 2, 3, 12]:
        return True
    return all(b - a == 1 for a, b in zip(ranks, ranks[1:]))


def hand_name(cards):
    ranks = sorted(ORDER.index(card[0]) for card in cards)
    flush = len({card[1] for card in cards}) == 1
    straight = is_straight(ranks)
    if straight and flush:
        return "straight flush"
    shape = tuple(sorted(Counter(ranks).values(), reverse=True))
    if flush:
        return "flush"
    if straight:
        return "straight"
    return SHAPES.get(shape, "high card")
