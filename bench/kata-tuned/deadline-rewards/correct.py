def best_rewards(tasks):
    last = max((deadline for deadline, _ in tasks), default=0)
    free = list(range(last + 1))

    def latest_free(day):
        while free[day] != day:
            free[day] = free[free[day]]
            day = free[day]
        return day

    total = 0
    for deadline, reward in sorted(tasks, key=lambda task: -task[1]):
        day = latest_free(deadline)
        if day > 0:
            free[day] = day - 1
            total += reward
    return total
