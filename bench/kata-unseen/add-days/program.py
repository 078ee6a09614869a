def month_length(year, month):
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


def add_days(year, month, day, count):
    day += count
    while day > month_length(month, year):
        day -= month_length(year, month)
        month += 1
        if month > 12:
            month = 1
            year += 1
    return [year, month, day]
