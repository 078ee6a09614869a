def two_camps(people, feuds):
    """Whether the people can be split in two camps without inner feuds."""
    rivals = {person: [] for person in range(people)}
    for a, b in feuds:
        rivals[a].append(b)
        rivals[b].append(a)
    camp = {}
    for start in range(people):
        if start in camp:
            continue
        camp[start] = True
        stack = [start]
        while stack:
            person = stack.pop()
            for rival in rivals[person]:
                if rival not in camp:
                    camp[rival] = not camp[person]
                    stack.append(rival)
                elif camp[rival] == camp[person]:
                    return False
    return True
