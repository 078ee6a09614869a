def elimination_order(count, step):
    circle = list(range(1, count + 1))
    order = []
    index = 0
    while circle:
        index = (index + step) % len(circle)
        order.append(circle.pop(index))
    return order
