def split_line(line, sep=",", quote='"'):
    """Fields of one CSV line; a doubled quote inside quotes is one quote."""
    fields = []
    current = ""
    inside = False
    i = 0
    while i < len(line):
        ch = line[i]
        if inside:
            if ch != quote:
                current += ch
            elif line[i + 1:i + 2] == quote:
                current += quote
                i += 1
            else:
                inside = False
        elif ch == quote:
            inside = True
        elif ch == sep:
            fields.append(current)
            current = str()
        else:
            current = current + ch
        i += 1
    fields.append(current)
    return fields
