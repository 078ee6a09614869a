def josephus_order(names, step, start=0):
    """Order in which people leave a circle when every step-th one goes.

    Counting begins with the person at index start, who counts as one.
    """
    if step < 1:
        raise ValueError("step must be positive")
    circle = list(names)
    order = []
    pos = start
    while circle:
        pos = (pos + step) % len(circle)
        order.append(circle.pop(pos))
    return order
