def longest_consecutive_run(numbers):
    """Length of the longest run n, n + 1, n + 2, ... within the numbers."""
    present = set(numbers)
    longest = 0
    for number in present:
        if number - 1 in present:
            last = number
            while last + 1 in present:
                last += 1
            longest = max(longest, last - number + 1)
    return longest
