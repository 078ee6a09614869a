def fill_template(template, values):
    """Put each value in the place of its {name}; drop fields without value."""
    text = template
    for name, value in values.items():
        field = "{" + name + "}"
        text = text.replace(field, str(value))
    pieces = []
    while "{" in text and "}" in text:
        start = text.index("{")
        end = text.index("}")
        pieces.append(text[:start])
        text = text[end + 1:]
    return "".join(pieces) + text
