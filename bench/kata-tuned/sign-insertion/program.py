def expressions(digits, target):
    found = []

    def extend(place, text, value, last):
        if place == len(digits):
            if value == target:
                found.append(text)
            return
        for end in range(place + 1, len(digits) + 1):
            part = digits[place:end]
            if len(part) > 1 and part[0] == "0":
                break
            number = int(part)
            if place == 0:
                extend(end, part, number, number)
                continue
            extend(end, text + "+" + part, value + number, number)
            extend(end, text + "-" + part, value - number, -number)
            extend(end, text + "*" + part, last * number, value - last + last * number)

    extend(0, "", 0, 0)
    return sorted(found)
