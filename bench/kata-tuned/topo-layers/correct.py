def layers(n, deps):
    """Group tasks 0..n-1 into rounds; [a, b] means a comes before b.

    Returns None when the dependencies contain a cycle.
    """
    indegree = [0] * n
    after = [[] for _ in range(n)]
    for a, b in deps:
        after[a].append(b)
        indegree[b] += 1
    current = [v for v in range(n) if indegree[v] == 0]
    result = []
    done = 0
    while current:
        result.append(current)
        done += len(current)
        following = []
        for v in current:
            for w in after[v]:
                indegree[w] -= 1
                if indegree[w] == 0:
                    following.append(w)
        current = sorted(following)
    return result if done == n else None
