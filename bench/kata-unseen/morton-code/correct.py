def interleave(x, y):
    code = 0
    shift = 0
    while x >> shift or y >> shift:
        code |= (x >> shift & 1) << 2 * shift
        code |= (y >> shift & 1) << 2 * shift + 1
        shift += 1
    return code
