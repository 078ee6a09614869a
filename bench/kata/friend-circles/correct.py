def circle_sizes(people, friendships):
    """Sizes of the circles of direct or indirect friends, largest first."""
    leader = list(range(people))
    size = [1] * people

    def find(person):
        while leader[person] != person:
            leader[person] = leader[leader[person]]
            person = leader[person]
        return person

    for a, b in friendships:
        root_a, root_b = find(a), find(b)
        if root_a == root_b:
            continue
        if size[root_a] < size[root_b]:
            root_a, root_b = root_b, root_a
        leader[root_b] = root_a
        size[root_a] += size[root_b]
    sizes = [size[person] for person in range(people) if leader[person] == person]
    return sorted(sizes, reverse=True)
