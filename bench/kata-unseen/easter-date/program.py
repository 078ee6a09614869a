def easter(year):
    golden = year % 19
    century, within = divmod(year, 100)
    leaps, left = divmod(century, 4)
    shift = (century + 8) // 25
    lunar = (century - shift + 1) // 3
    epact = (19 * golden + century - leaps - lunar + 16) % 30
    quads, rest = divmod(within, 4)
    weekday = (32 + 2 * left + 2 * quads - epact - rest) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return [month, day + 1]
