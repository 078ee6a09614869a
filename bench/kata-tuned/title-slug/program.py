def slugify(title):
    text = title.lower().replace(" ", "_")
    kept = []
    for symbol in text:
        if symbol.isalnum() or symbol == " ":
            kept.append(symbol)
    words = "".join(kept).split()
    return "-".join(words)
