def group_digits(number):
    sign = "-" if number < 0 else ""
    digits = str(abs(number))
    groups = [digits[-3:]]
    digits = digits[:-3]
    while digits:
        groups.append(digits[-2:])
        digits = digits[:-2]
    return sign + ",".join(reversed(groups))
