def check_claims(count, claims):
    parent = list(range(count))
    above = [0] * count

    def find(node):
        if parent[node] == node:
            return node
        root = find(parent[node])
        above[node] += above[parent[node]]
        parent[node] = root
        return root

    answers = []
    for a, b, difference in claims:
        root_a, root_b = find(a), find(b)
        if root_a == root_b:
            answers.append(above[a] - above[b] == difference)
        else:
            parent[root_a] = root_b
            above[root_a] = difference + above[b] - above[a]
            answers.append(True)
    return answers
