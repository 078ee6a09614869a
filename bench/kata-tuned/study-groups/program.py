def study_groups(students, fewest, most):
    memo = {}

    def ways(n, groups):
        if n == groups: return 1
        if (n, groups) not in memo:
            alone = ways(n - 1, groups - 1)
            joined = groups * ways(n - 1, groups)
            memo[n, groups] = alone + joined
        return memo[n, groups]

    return sum(ways(students, g) for g in range(fewest, most + 1))
