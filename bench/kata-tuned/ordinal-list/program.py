def suffix(number):
    tens, last = number // 10 % 10, number % 10
    if last == 1 and tens != 1:
        return "st"
    if last == 2:
        return "nd"
    if last == 3 and tens != 1:
        return "rd"
    return "th"


def ordinals(numbers):
    return ", ".join(str(number) + suffix(number) for number in numbers)
