def read_fence(text, rails):
    cycle = max(1, 2 * (rails - 1))

    def rail(place):
        offset = place % cycle
        return min(offset, cycle - offset)

    order = sorted(range(len(text)), key=rail)
    plain = [""] * len(text)
    for source, target in enumerate(order):
        plain[target] = text[source]
    return "".join(plain)
