def encrypt(text, key):
    shifts = [ord(letter) - ord("a") for letter in key.lower()]
    result = []
    used = 0
    for i, char in enumerate(text):
        if not char.isalpha():
            result.append(char)
            continue
        base = ord("A") if char.isupper() else ord("a")
        shift = shifts[used % len(shifts)]
        result.append(chr((ord(char) - base + shift) % 26 + base))
        used += 1
    return "".join(result)
