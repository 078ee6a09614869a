MONTH_LENGTHS = [
    31, 28, 31, 30, 31, 30,
    31, 31, 30, 31, 30, 31,
]


def is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def day_of_year(year, month, day):
    """Number of a date within its year, from 1; None if there is no such date."""
    if not 1 <= month <= 12:
        return None
    lengths = list(MONTH_LENGTHS)
    if is_leap(year):
        lengths[1] = 29
    if not 1 <= day <= lengths[month - 1]:
        return None
    return sum(lengths[:month - 1]) + day
