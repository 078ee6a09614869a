def extension(name):
    dot = name.rfind(".")
    if dot <= 0 or dot == len(name) - 1:
        return ""
    return name[dot + 1:].lower()


def by_extension(names):
    groups = {}
    for name in names:
        groups.setdefault(extension(name), []).append(name)
    return groups
