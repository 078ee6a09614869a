class Table:
    def __init__(self, size):
        self.buckets = [[] for _ in range(size)]

    def slot(self, key):
        code = 7
        for letter in key:
            code = (code * 31 + ord(letter)) % len(self.buckets)
        return code

    def put(self, key, value):
        bucket = self.buckets[self.slot(key)]
        for entry in bucket:
            if entry[0] == key:
                entry[1] = value
                return
        bucket.append([key, value])


def layout(size, entries):
    table = Table(size)
    for key, value in entries:
        table.put(key, value)
    return table.buckets
