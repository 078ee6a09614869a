def tree_shapes(nodes, height):
    memo = {}

    def count(n, h):
        if n == 0:
            return 1
        if h == 0: return 0
        if (n, h) not in memo:
            total = 0
            for left in range(n):
                total += count(left, h - 1) * count(n - 1 - left, h - 1)
            memo[n, h] = total
        return memo[n, h]

    return count(nodes, height)
