def cell(value, width):
    if isinstance(value, int):
        return str(value).ljust(width)
    return value.ljust(width)


def table(header, rows):
    widths = [len(title) for title in header]
    for row in rows:
        for i, value in enumerate(row):
            widths[i] = max(widths[i], len(str(value)))
    lines = []
    for row in [header] + rows:
        cells = [cell(value, width) for value, width in zip(row, widths)]
        lines.append(" | ".join(cells).rstrip())
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return lines
