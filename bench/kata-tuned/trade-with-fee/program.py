def best_profit(prices, fee):
    """Best profit from buying and selling one share again and again.

    At most one share is held at a time; every sale costs the fee.
    """
    if not prices:
        return 0
    cash = 0
    hold = 0
    for price in prices[1:]:
        sold = hold + price - fee
        bought = cash - price
        cash = max(cash, sold)
        hold = max(hold, bought)
    return cash
