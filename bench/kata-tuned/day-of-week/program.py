NAMES = ["Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


def weekday(year, month, day):
    if month < 3:
        month += 12
        year -= 1
    century, rest = divmod(year, 100)
    number = day + 26 * (month + 1) // 5 + rest + rest // 4 + century // 4 + 5 * century
    return NAMES[number % 7]
