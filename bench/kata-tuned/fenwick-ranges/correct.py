class Fenwick:
    def __init__(self, size):
        self.tree = [0] * (size + 1)

    def add(self, position, amount):
        position += 1
        while position < len(self.tree):
            self.tree[position] += amount
            position += position & -position

    def prefix(self, count):
        total = 0
        while count > 0:
            total += self.tree[count]
            count -= count & -count
        return total


def range_totals(size, additions, ranges):
    fenwick = Fenwick(size)
    for position, amount in additions:
        fenwick.add(position, amount)
    return [fenwick.prefix(stop) - fenwick.prefix(start) for start, stop in ranges]
