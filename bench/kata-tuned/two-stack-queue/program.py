class Queue:
    def __init__(self):
        self.inbox = []
        self.outbox = []

    def push(self, value):
        self.inbox.append(value)

    def shift(self):
        if self.outbox:
            while self.inbox:
                self.outbox.append(self.inbox.pop())

    def peek(self):
        self.shift()
        return self.outbox[-1] if self.outbox else None

    def pop(self):
        self.shift()
        return self.outbox.pop() if self.outbox else None


def run_queue(operations):
    queue = Queue()
    results = []
    for name, *values in operations:
        result = getattr(queue, name)(*values)
        if name != "push":
            results.append(result)
    return results
