from math import gcd


def unit_fractions(numerator, denominator):
    units = []
    while numerator > 0:
        unit = (denominator + numerator - 1) // numerator
        units.append(unit)
        numerator = numerator * (unit - denominator)
        denominator *= unit
        common = gcd(numerator, denominator)
        numerator //= common
        denominator //= common
    return units
