def parentheses(pairs):
    def build(prefix, opened, closed):
        if closed == pairs:
            return [prefix]
        result = build(prefix + "(", opened + 1, closed)
        if closed < opened:
            result += build(prefix + ")", opened, closed + 1)
        return result

    return build("", 0, 0)


def nth_parentheses(pairs, index):
    every = parentheses(pairs)
    return every[index] if index < len(every) else None
