class RingBuffer:
    """First-in first-out queue of bounded size."""

    def __init__(self, capacity):
        self.slots = [None] * capacity
        self.head = 0
        self.count = 0

    def put(self, item):
        if self.count == len(self.slots):
            return False
        tail = (self.head + self.count) % len(self.slots)
        self.slots[tail] = item
        self.count += 1
        return True

    def take(self):
        if self.count == 0:
            return None
        item = self.slots[self.head]
        self.head = (self.head + 1) % len(self.slots)
        self.count -= 1
        return item


def run_buffer(capacity, operations):
    """Answers of a buffer to ["put", item] and ["take"] operations."""
    buffer = RingBuffer(capacity)
    return [buffer.put(*op[1:]) if op[0] == "put" else buffer.take() for op in operations]
