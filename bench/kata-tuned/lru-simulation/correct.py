from collections import OrderedDict


def simulate(capacity, requests):
    """Hits, misses and final content (oldest first) of an LRU cache."""
    cache = OrderedDict()
    hits = misses = 0
    for key in requests:
        if key in cache:
            hits += 1
            cache.move_to_end(key)
        else:
            misses += 1
            if capacity <= 0:
                continue
            if len(cache) >= capacity:
                cache.popitem(last=False)
            cache[key] = True
    return [hits, misses, list(cache)]
