def widen(text, left, right):
    while left >= 0 and right < len(text) and text[left] == text[right]:
        left -= 1
        right += 1
    return text[left:right]


def longest_palindrome(text):
    """Longest palindromic part of a text, the leftmost if there are several."""
    best = ""
    for centre in range(len(text)):
        odd = widen(text, centre, centre)
        even = widen(text, centre, centre + 1)
        for found in (odd, even):
            if len(found) > len(best):
                best = found
    return best
