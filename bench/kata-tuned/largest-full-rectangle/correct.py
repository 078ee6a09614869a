def largest_under(heights):
    best, stack = 0, []
    for place, height in enumerate(heights + [0]):
        start = place
        while stack and stack[-1][1] > height:
            start, above = stack.pop()
            best = max(best, above * (place - start))
        stack.append((start, height))
    return best


def largest_rectangle(grid):
    heights = [0] * len(grid[0])
    best = 0
    for row in grid:
        heights = [tall + 1 if cell else 0 for tall, cell in zip(heights, row)]
        best = max(best, largest_under(heights))
    return best
