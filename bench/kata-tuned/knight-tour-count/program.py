def knight_tours(height, width, row, column):
    visited = [[False] * width for _ in range(height)]
    jumps = ((1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1))

    def count(r, c, seen):
        if seen == height * width:
            return 1
        total = 0
        for dr, dc in jumps:
            a, b = r + dr, c + dc
            if 0 <= a < height and 0 <= b < width and not visited[a][b]:
                visited[a][b] = True
                total += count(a, b, seen + 1)
        return total

    visited[row][column] = True
    return count(row, column, 1)
