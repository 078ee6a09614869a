def seated(wishes, seats):
    taken = [None] * seats

    def place(guest, tried):
        for seat in wishes[guest]:
            if seat in tried:
                continue
            tried.add(seat)
            if taken[seat] is None:
                taken[seat] = guest
                return True
        return False

    return sum(place(guest, set()) for guest in range(len(wishes)))
