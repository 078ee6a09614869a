def palindrome_cuts(text):
    """All ways to cut text into palindromes, each way a list of pieces.

    The ways are ordered by the length of their first differing piece.
    """
    ways = []

    def extend(rest, pieces):
        if not rest:
            ways.append(list(pieces))
            return
        for size in range(1, len(rest) + 1):
            head = rest[:size]
            if head == head[::-1]:
                pieces.append(head)
                extend(rest[size:], pieces)
                pieces.pop()

    extend(text, [])
    return ways
