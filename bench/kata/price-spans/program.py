def price_spans(prices):
    """For each day, how many days up to it never cost more than it."""
    spans = []
    higher = []
    for day, price in enumerate(prices):
        while higher and prices[higher[-1]] < price:
            higher.pop()
        if higher:
            spans.append(day - higher[-1])
        else:
            spans.append(day + 1)
        higher.append(day)
    return spans
