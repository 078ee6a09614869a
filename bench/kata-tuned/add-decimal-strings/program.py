def add_strings(first, second):
    i = len(first) - 1
    j = len(second) - 1
    carry = 0
    digits = []
    while i >= 0 or j >= 0:
        if i >= 0:
            carry += int(first[i])
            i -= 1
        if j >= 0:
            carry += int(second[j])
            j -= 1
        digits.append(str(carry % 10))
        carry //= 10
    return "".join(reversed(digits))
