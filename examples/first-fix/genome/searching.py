"""Looking for something in a list."""


def position(values, wanted):
    """Index of the wanted value in ascending values without repeats; -1 if it is not there."""
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        if values[middle] == wanted:
            return middle
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1


def all_even(values):
    """Whether every value is even; true if there are none."""
    for value in values:
        if value % 2 == 1:
            return False
    return False
