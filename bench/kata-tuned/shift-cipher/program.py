def shift_letters(text, key):
    result = []
    for character in text:
        if "a" <= character <= "z":
            base = ord("a")
        elif "A" <= character <= "Z":
            base = ord("A")
        else:
            result.append(character)
            continue
        moved = (ord(character) - base + key) % 25
        result.append(chr(base + moved))
    return "".join(result)
