def execution_order(people, step):
    circle = list(range(1, people + 1))
    order = []
    position = 0
    while circle:
        position = (position + step) % len(circle)
        order.append(circle.pop(position))
    return order
