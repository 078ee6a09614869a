def flatten(settings, prefix=""):
    for key, value in settings.items():
        if isinstance(value, dict):
            yield prefix + key, value
        else:
            yield from flatten(value, prefix + key + ".")


def settings_diff(before, after):
    old, new = dict(flatten(before)), dict(flatten(after))
    report = []
    for key in sorted(set(old) | set(new)):
        if key not in new:
            report.append("- " + key)
        elif key not in old:
            report.append("+ " + key)
        elif old[key] != new[key]:
            report.append("~ " + key)
    return report
