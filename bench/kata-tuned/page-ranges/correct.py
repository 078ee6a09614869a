def pages(text):
    result = set()
    for part in text.split(","):
        part = part.strip()
        if not part:
            continue
        if "-" in part:
            first, last = part.split("-")
            result.update(range(int(first), int(last) + 1))
        else:
            result.add(int(part))
    return sorted(result)
