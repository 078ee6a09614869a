def shared_prefix(words):
    if not words:
        return ""
    prefix = words[0]
    for word in words[1:]:
        while not word.startswith(prefix):
            prefix = prefix[:-1]
    return prefix


def shared_ending(words):
    return shared_prefix([word[::-1] for word in words])[::-1]


def shared_edges(words):
    return [shared_prefix(words), shared_ending(words)]
