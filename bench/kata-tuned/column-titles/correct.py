def column_title(number):
    title = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        title = chr(ord("A") + rest) + title
    return title


def column_titles(first, count):
    return [column_title(first + i) for i in range(count)]
