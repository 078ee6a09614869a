class SegmentTree:
    def __init__(self, values):
        self.size = len(values)
        self.tree = [None] * self.size + list(values)
        for node in range(self.size - 1, 0, -1):
            self.tree[node] = min(self.tree[2 * node], self.tree[2 * node + 1])

    def update(self, index, value):
        node = index + self.size
        self.tree[node] = value
        while node > 1:
            node //= 2
            self.tree[node] = min(self.tree[2 * node], self.tree[2 * node + 1])

    def query(self, start, stop):
        found = []
        left, right = start + self.size, stop + self.size
        while left < right:
            if left % 2:
                found.append(self.tree[left])
                left += 1
            if right % 2:
                right -= 1
                found.append(self.tree[right])
            left, right = left // 2, right // 2
        return min(found, default=None)


def range_minima(values, updates, queries):
    tree = SegmentTree(values)
    for index, value in updates:
        tree.update(index, value)
    return [tree.query(start, stop) for start, stop in queries]
