def trapped(heights):
    size = len(heights)
    left = [0] * (size + 1)
    right = [0] * (size + 1)
    for i in range(size):
        left[i + 1] = max(left[i], heights[i])
    for i in range(size - 1, -1, -1):
        right[i] = max(right[i + 1], heights[i])
    total = 0
    for i in range(size):
        total += min(left[i + 1], right[i]) - heights[i]
    return total
