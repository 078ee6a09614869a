from functools import reduce


def winning_moves(piles):
    balance = reduce(lambda acc, pile: acc ^ pile, piles, 0)
    moves = []
    for number, pile in enumerate(piles):
        target = pile ^ balance
        if target < pile:
            moves.append([number, pile - target])
    return moves
