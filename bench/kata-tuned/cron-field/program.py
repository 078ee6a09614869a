def cron_field(text, low, high):
    chosen = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = map(int, span.split("-"))
        else:
            first = int(span)
            last = high if slash else first
        chosen.update(range(first, last + 1, step or 1))
    return sorted(chosen)
