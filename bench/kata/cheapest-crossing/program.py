import heapq


def cheapest_crossing(toll):
    """Least total toll from the top left cell to the bottom right one."""
    rows, cols = len(toll), len(toll[0])
    best = {(0, 0): toll[0][0]}
    queue = [(toll[0][0], 0, 0)]
    while queue:
        paid, row, col = heapq.heappop(queue)
        if (row, col) == (rows - 1, cols - 1):
            return paid
        for dr, dc in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            r, c = row + dr, col + dc
            if not (0 <= r < rows and 0 <= c < cols):
                continue
            total = paid + toll[r][c]
            if total < best.get((r, c), float("inf")):
                best[(r, c)] = total
                heapq.heappush(queue, (paid, r, c))
    return -1
