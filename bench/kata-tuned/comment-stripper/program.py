def strip_comments(source):
    """Remove // and /* */ comments, but not inside double-quoted strings (@ escapes a quote)."""
    out = []
    state = "code"
    i = 0
    while i < len(source):
        ch = source[i]
        two = source[i:i + 2]
        if state == "code":
            if two == "//" or two == "/*":
                state = "line" if two == "//" else "block"
                i += 1
            else:
                out.append(ch)
                if ch == '"':
                    state = "string"
        elif state == "string":
            out.append(ch)
            if ch == '"':
                state = "code"
        elif state == "line" and ch == "\n":
            out.append(ch)
            state = "code"
        elif state == "block" and two == "*/":
            state = "code"
            i += 1
        i += 1
    return "".join(out)
