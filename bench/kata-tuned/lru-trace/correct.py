def lru_trace(capacity, requests):
    """Run page requests through an LRU cache.

    Returns the pages thrown out, in order, and the final content from the
    least to the most recently used page.
    """
    stamp = {}
    evicted = []
    for time, page in enumerate(requests):
        if page not in stamp and len(stamp) >= capacity:
            oldest = min(stamp, key=stamp.get)
            del stamp[oldest]
            evicted.append(oldest)
        stamp[page] = time
    content = sorted(stamp, key=stamp.get)
    return [evicted, content]
