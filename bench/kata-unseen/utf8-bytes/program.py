def encode(codes):
    out = []
    for code in codes:
        if code < 0x80:
            out.append(code)
        elif code < 0x800:
            out.append(0xC0 | code >> 6)
            out.append(0x80 | code & 0x3F)
        elif code < 0x10000:
            out.append(0xE0 | code >> 12)
            out.append(0x80 | code >> 6 & 0x1F)
            out.append(0x80 | code & 0x3F)
        else:
            out.append(0xF0 | code >> 18)
            out.append(0x80 | code >> 12 & 0x3F)
            out.append(0x80 | code >> 6 & 0x3F)
            out.append(0x80 | code & 0x3F)
    return out
