def matches(pattern, text):
    """Shell-like match of the whole text: * any run, ? one character."""
    memo = {}

    def go(i, j):
        if (i, j) in memo:
            return memo[i, j]
        if i == len(pattern):
            answer = j == len(text)
        elif pattern[i] == "*":
            answer = go(i + 1, j) or (j < len(text) and go(i, j + 1))
        elif pattern[i] == "?" or pattern[i] == text[j]:
            answer = go(i + 1, j + 1)
        else:
            answer = False
        memo[i, j] = answer
        return answer

    return go(0, 0)
