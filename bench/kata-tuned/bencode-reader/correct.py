def read(text, place):
    kind = text[place]
    if kind == "i":
        end = text.index("e", place)
        return int(text[place + 1:end]), end + 1
    if kind in "ld":
        items = []
        place += 1
        while text[place] != "e":
            item, place = read(text, place)
            items.append(item)
        if kind == "d":
            items = dict(zip(items[::2], items[1::2]))
        return items, place + 1
    start = text.index(":", place) + 1
    end = start + int(text[place:start - 1])
    return text[start:end], end


def decode(text):
    return read(text, 0)[0]
