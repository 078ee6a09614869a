def gray_encode(n):
    return n ^ (n >> 1)


def gray_decode(g):
    n = 0
    while g:
        n |= g
        g >>= 1
    return n


def gray_sequence_steps(codes):
    """Signed distances between the positions of neighbouring Gray codes."""
    positions = [gray_decode(c) for c in codes]
    for code, pos in zip(codes, positions):
        assert gray_encode(pos) == code
    return [b - a for a, b in zip(positions, positions[1:])]
