def income_tax(income, brackets):
    tax = 0
    lower = 0
    for upper, percent in brackets:
        if income <= lower:
            break
        top = income if upper is None else min(income, upper)
        tax += (top - lower) * percent
        lower = top
    return tax // 100
