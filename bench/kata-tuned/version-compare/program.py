import re


def version_key(text):
    """Sort key: numeric parts first, a pre-release before its release."""
    main, _, pre = text.partition("-")
    numbers = [int(part) for part in main.lstrip("v").split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    tail = []
    for piece in re.findall(r"[0-9]+|[a-z]+", pre):
        if piece.isdigit():
            tail.append((0, int(piece), ""))
        else:
            tail.append((1, 0, piece))
    return (numbers, pre == "", tail)


def sort_versions(versions):
    """Versions from oldest to newest, equal ones in their given order."""
    return sorted(versions, key=version_key)
