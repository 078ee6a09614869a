def sort_by_grade(pupils, top):
    start = [0] * (top + 2)
    for _, grade in pupils:
        start[grade + 1] += 1
    for grade in range(1, top + 2):
        start[grade] += start[grade - 1]
    ordered = [None] * len(pupils)
    for pupil in pupils:
        grade = pupil[1]
        ordered[start[grade]] = pupil
        start[grade] += 1
    return [name for name, _ in ordered]
