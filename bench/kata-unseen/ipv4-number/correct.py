def ipv4_number(text):
    parts = text.split(".")
    if len(parts) != 4:
        return -1
    number = 0
    for part in parts:
        if not part.isdigit():
            return -1
        if len(part) > 1 and part[0] == "0":
            return -1
        value = int(part)
        if value > 255:
            return -1
        number = number * 256 + value
    return number
