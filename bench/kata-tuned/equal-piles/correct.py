def can_share(weights, people):
    share, rest = divmod(sum(weights), people)
    if rest:
        return False
    weights = sorted(weights, reverse=True)
    piles = [0] * people

    def place(index):
        if index == len(weights):
            return True
        for pile in range(people):
            if piles[pile] + weights[index] <= share:
                piles[pile] += weights[index]
                if place(index + 1):
                    return True
                piles[pile] -= weights[index]
            if piles[pile] == 0:
                break
        return False

    return place(0)
