def encode(text):
    """Run-length code: 'aaab' -> '3ab'; digits get a '~' in front."""
    parts = []
    run = 0
    previous = None
    for ch in text:
        if ch == previous:
            run += 1
            continue
        if run:
            parts.append(symbol(previous, run))
        previous = ch
        run = 1
    if run:
        parts.append(symbol(previous, run))
    return "".join(parts)


def symbol(ch, run):
    mark = "~" + ch if ch.isdigit() or ch == "~" else ch
    return mark if run == 1 else str(run) + mark
