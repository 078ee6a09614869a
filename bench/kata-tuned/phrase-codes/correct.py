from string import ascii_uppercase


def compress(text):
    codes = {letter: i for i, letter in enumerate(ascii_uppercase)}
    next_code = 26
    phrase = ""
    output = []
    for letter in text:
        if phrase + letter in codes:
            phrase += letter
            continue
        output.append(codes[phrase])
        codes[phrase + letter] = next_code
        next_code += 1
        phrase = letter
    if phrase:
        output.append(codes[phrase])
    return output
