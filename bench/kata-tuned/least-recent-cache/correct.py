class Cache:
    def __init__(self, capacity):
        self.capacity = capacity
        self.data = {}

    def get(self, key):
        if key not in self.data:
            return -1
        value = self.data.pop(key)
        self.data[key] = value
        return value

    def put(self, key, value):
        self.data.pop(key, None)
        self.data[key] = value
        if len(self.data) > self.capacity:
            oldest = next(iter(self.data))
            del self.data[oldest]


def simulate(capacity, commands):
    cache = Cache(capacity)
    results = []
    for command in commands:
        if len(command) == 1:
            results.append(cache.get(command[0]))
        else:
            cache.put(command[0], command[1])
    return results
