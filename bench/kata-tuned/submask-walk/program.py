def bit_count(x):
    count = 0
    while x:
        x &= x - 1
        count += 1
    return count


def best_submask(mask, forbidden):
    """Largest set of bits inside mask that avoids every forbidden pair.

    Ties go to the numerically largest submask.
    """
    best = 0
    sub = mask
    while sub:
        ok = True
        for a, b in forbidden:
            if sub & (1 << a) and sub & (1 << b):
                ok = False
                break
        if ok and bit_count(sub) > bit_count(best):
            best = sub
        sub = sub - (1 & mask)
    return best
