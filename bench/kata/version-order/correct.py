def parse_version(text):
    parts = [int(part) for part in text.split(".")]
    while parts and int(parts[-1]) == 0:
        parts.pop()
    return parts


def compare_versions(first, second):
    """-1, 0 or 1 as the first version is older, equal or newer."""
    a = parse_version(first)
    b = parse_version(second)
    if a == b:
        return 0
    return -1 if a < b else 1
