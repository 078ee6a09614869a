def to_snake(name):
    result = []
    for i, char in enumerate(name):
        if char.isupper():
            previous = name[i - 1] if i > 0 else "_"
            following = name[i + 1] if i + 1 < len(name) else ""
            if previous != "_" and (not previous.isupper() or following.islower()):
                result.append("_")
            result.append(char)
        else:
            result.append(char)
    return "".join(result)
