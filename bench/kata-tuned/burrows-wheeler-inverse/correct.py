def restore(last, row):
    starts = {}
    total = 0
    for symbol in sorted(set(last)):
        starts[symbol] = total
        total += last.count(symbol)
    seen = dict.fromkeys(last, 0)
    links = []
    for symbol in last:
        links.append(starts[symbol] + seen[symbol])
        seen[symbol] += 1
    text = []
    for _ in last:
        text.append(last[row])
        row = links[row]
    return "".join(reversed(text))
