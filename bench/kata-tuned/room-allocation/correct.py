import heapq


def allocate_rooms(meetings):
    """Room number for each meeting [start, stop), in the order given.

    Meetings are served by start time; a new one takes the lowest free room.
    """
    order = sorted(range(len(meetings)), key=lambda i: (meetings[i], i))
    busy = []
    free = []
    opened = 0
    rooms = [None] * len(meetings)
    for i in order:
        start, stop = meetings[i]
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            room = heapq.heappop(free)
        else:
            room = opened
            opened += 1
        rooms[i] = room
        heapq.heappush(busy, (stop, room))
    return rooms
