def fits(part):
    return part == "0" or int(part) <= 255


def addresses(digits):
    found = []

    def place(start, parts):
        if len(parts) == 4:
            if start == len(digits):
                found.append(".".join(parts))
            return
        for end in range(start + 1, min(start + 3, len(digits)) + 1):
            part = digits[start:end]
            if fits(part):
                place(end, parts + [part])

    place(0, [])
    return sorted(found)
