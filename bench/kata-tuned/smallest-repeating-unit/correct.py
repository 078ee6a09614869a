def failure_table(pattern):
    table = [0] * len(pattern)
    matched = 0
    for index in range(1, len(pattern)):
        while matched > 0 and pattern[index] != pattern[matched]:
            matched = table[matched - 1]
        if pattern[index] == pattern[matched]:
            matched += 1
        table[index] = matched
    return table


def smallest_period(text):
    if not text:
        return 0
    period = len(text) - failure_table(text)[-1]
    if period < len(text) and len(text) % period == 0:
        return period
    return len(text)
