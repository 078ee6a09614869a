class Heap:
    def __init__(self):
        self.items = []

    def push(self, value):
        self.items.append(value)
        child = len(self.items) - 1
        while child > 0 and self.items[child] < self.items[(child - 1) // 2]:
            parent = (child - 1) // 2
            self.items[child], self.items[parent] = self.items[parent], self.items[child]
            child = parent

    def pop(self):
        top, last = self.items[0], self.items.pop()
        if self.items:
            self.items[0] = last
            node = 0
            while True:
                smallest = node
                for child in (2 * node + 1, 2 * node + 2):
                    if child < len(self.items) and self.items[child] < self.items[smallest]:
                        smallest = child
                if smallest == node:
                    break
                self.items[node], self.items[smallest] = self.items[smallest], self.items[node]
                node = smallest
        return top


def smallest_first(values, count):
    heap = Heap()
    for value in values:
        heap.push(value)
    return [heap.pop() for _ in range(min(count, len(values)))]
