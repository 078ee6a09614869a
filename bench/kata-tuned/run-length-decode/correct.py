def decode(text):
    """Expand '3ab2c' to 'aaabcc'; a letter without a count stands once."""
    out = []
    digits = ''
    for ch in text:
        if ch.isdigit():
            digits += ch
        else:
            times = int(digits) if digits else 1
            out.append(ch * times)
            digits = ''
    return ''.join(out)
