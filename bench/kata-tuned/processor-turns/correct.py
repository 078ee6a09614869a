from collections import deque


class Processor:
    def __init__(self, quantum):
        self.quantum = quantum
        self.waiting = deque()
        self.clock = 0

    def submit(self, name, work):
        self.waiting.append((name, work))

    def run(self):
        while self.waiting:
            name, work = self.waiting.popleft()
            turn = min(work, self.quantum)
            self.clock += turn
            if work > turn:
                self.submit(name, work - turn)
            else:
                yield [name, self.clock]


def completion_times(jobs, quantum):
    processor = Processor(quantum)
    for name, work in jobs:
        processor.submit(name, work)
    return list(processor.run())
