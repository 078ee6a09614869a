def town_judge(count, trusts):
    trusted_by = {person: set() for person in range(1, count + 1)}
    trusting = {person: set() for person in range(1, count + 1)}
    for person, other in trusts:
        trusting[person].add(other)
        trusted_by[other].add(person)
    for person in range(1, count + 1):
        if len(trusted_by[person]) == count - 1 and trusting[person]:
            return person
    return -1
