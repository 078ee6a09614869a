class MinStack:
    def __init__(self):
        self.items = []
        self.minima = []

    def push(self, value):
        self.items.append(value)
        if not self.minima or value < self.minima[-1]:
            self.minima.append(value)

    def pop(self):
        value = self.items.pop()
        if value == self.minima[-1]:
            self.minima.pop()
        return value


def run(commands):
    stack = MinStack()
    output = []
    for name, *rest in commands:
        if name == "push":
            stack.push(rest[0])
        elif name == "pop":
            output.append(stack.pop() if stack.items else None)
        else:
            output.append(stack.minima[-1] if stack.items else None)
    return output
