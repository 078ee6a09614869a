def course_order(courses, requirements):
    needs = {course: set() for course in courses}
    for course, before in requirements:
        needs[course].add(before)
    order = []
    while needs:
        ready = sorted(course for course in needs if needs[course])
        if not ready:
            return None
        for course in ready:
            order.append(course)
            del needs[course]
        for rest in needs.values():
            rest.difference_update(ready)
    return order
