def serve(floor, direction, calls):
    """Stops in SCAN order and the number of floors travelled.

    The lift keeps going up (1) or down (-1) until no calls are left that way.
    """
    waiting = set(calls)
    stops = []
    travelled = 0
    while waiting:
        if direction > 0:
            ahead = sorted(c for c in waiting if c >= floor)
        else:
            ahead = sorted((c for c in waiting if c <= floor), reverse=True)
        if not ahead:
            direction = -direction
            continue
        for stop in ahead:
            travelled += abs(stop - floor)
            floor = stop
            stops.append(stop)
        waiting -= set(ahead)
        direction = -direction
    return [stops, travelled]
