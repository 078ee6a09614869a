from datetime import date, timedelta


def working_days(first, last, holidays):
    day, end = date(*first), date(*last)
    closed = {date(*h) for h in holidays}
    count = 0
    while day < end:
        if day.weekday() < 6 and day not in closed:
            count += 1
        day += timedelta(days=1)
    return count
