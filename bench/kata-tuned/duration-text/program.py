UNITS = [("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]


def duration(seconds):
    if seconds == 0:
        return "now"
    parts = []
    for name, size in UNITS:
        count, seconds = divmod(size, seconds)
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts)
