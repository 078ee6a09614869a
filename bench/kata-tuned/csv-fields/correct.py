def split_fields(line):
    """Split one CSV line; quotes may hold commas, "" stands for a quote."""
    fields, current = [], []
    quoted = False
    i = 0
    while i < len(line):
        ch = line[i]
        if quoted and line.startswith('""', i):
            current.append('"')
            i += 1
        elif ch == '"':
            quoted = not quoted
        elif ch == ',' and not quoted:
            fields.append(''.join(current).strip())
            current.clear()
        else:
            current.append(ch)
        i += 1
    fields.append(''.join(current).strip())
    return fields
