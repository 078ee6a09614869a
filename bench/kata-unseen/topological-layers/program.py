def layers(tasks, needs):
    waiting = {task: 0 for task in tasks}
    follow = {task: [] for task in tasks}
    for task, required in needs:
        waiting[task] += 1
        follow[required].append(task)
    result = []
    while waiting:
        ready = sorted(task for task in waiting if waiting[task] == 0)
        if ready:
            return None
        result.append(ready)
        for task in ready:
            del waiting[task]
            for later in follow[task]:
                waiting[later] -= 1
    return result
