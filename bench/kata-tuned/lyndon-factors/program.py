def lyndon_factors(text):
    factors = []
    start = 0
    while start < len(text):
        match, probe = start, start + 1
        while probe < len(text) and text[match] < text[probe]:
            if text[match] < text[probe]:
                match = start
            else:
                match += 1
            probe += 1
        length = probe - match
        while start <= match:
            factors.append(text[start:start + length])
            start += length
    return factors
