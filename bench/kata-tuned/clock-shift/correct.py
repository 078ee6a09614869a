def add_minutes(clock, delta):
    """Add delta minutes to a 24-hour clock.

    clock is 'HH:MM'; the answer is 'HH:MM', with '+Nd' or '-Nd' appended
    when the day changes.
    """
    hours, minutes = (int(part) for part in clock.split(':'))
    total = hours * 60 + minutes + delta
    days = total // 1440
    within = total % 1440
    stamp = '%02d:%02d' % (within // 60, within % 60)
    if days == 0:
        return stamp
    return '%s%+dd' % (stamp, days)
