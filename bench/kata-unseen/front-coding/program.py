def front_code(words):
    coded = []
    previous = ""
    for word in sorted(words):
        shared = 0
        while shared < min(len(word), len(previous)) and word[shared] == previous[shared]:
            shared += 1
        coded.append([shared, word[-shared:]])
        previous = word
    return coded
