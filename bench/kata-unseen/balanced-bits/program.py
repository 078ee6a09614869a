def longest_balanced(bits):
    first = {0: 0}
    balance = 0
    best = 0
    for index, bit in enumerate(bits):
        balance += 1 if bit == "1" else -1
        if balance in first:
            best = max(best, index - first[balance])
        else:
            first[balance] = index
    return best
