def committees(people, size):
    """Every choice of so many people, in the order of the list."""
    found = []
    chosen = []

    def choose(start):
        if len(chosen) == size:
            found.append(chosen.copy())
            return
        for index in range(start, len(people)):
            chosen.append(people[index])
            choose(index + 1)
            chosen.pop()

    choose(0)
    return found
