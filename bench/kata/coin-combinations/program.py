def coin_combinations(coins, amount):
    """All multisets of coins that pay the amount, in lexicographic order."""
    coins = sorted(coins)
    found = []

    def extend(start, remaining, chosen):
        if remaining == 0:
            found.append(list(chosen))
            return
        for position in range(start, len(coins)):
            chosen.append(coins[position])
            extend(position, remaining - coins[position], chosen)
            chosen.pop()

    extend(0, amount, [])
    return found
