FACES = {"J": 10, "Q": 10, "K": 10, "A": 11}


def hand_value(cards):
    total = 0
    aces = 0
    for card in cards:
        total += FACES[card] if card in FACES else int(card)
        aces += card == "A"
    while total >= 21 and aces > 0:
        total -= 10
        aces -= 1
    return total


def outcome(player, dealer):
    mine, theirs = hand_value(player), hand_value(dealer)
    if mine > 21:
        return "lose"
    if theirs > 21 or mine > theirs:
        return "win"
    return "push" if mine == theirs else "lose"
