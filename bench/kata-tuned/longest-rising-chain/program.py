from bisect import bisect_left


def rising_chain(numbers):
    tails = []
    places = []
    for number in numbers:
        place = bisect_left(tails, number)
        if place == len(tails):
            tails.append(number)
        else:
            tails[place] = number
        places.append(place)
    wanted = len(tails) - 1
    chain = []
    for number, place in zip(reversed(numbers), reversed(places)):
        if place == wanted:
            chain.append(number)
            wanted -= 1
    return tails
