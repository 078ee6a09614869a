VOWELS = "aeiou"


def translate(word):
    cut = 0
    while cut < len(word) and word[cut] not in VOWELS:
        if word[cut:cut + 2] == "qu":
            cut += 1
        cut += 1
    return word[cut:] + word[:1] + "ay"


def pig_latin(sentence):
    return " ".join(map(translate, sentence.split()))
