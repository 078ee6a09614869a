def parse_settings(line):
    settings = {}
    for entry in line.split(";"):
        if not entry.strip():
            continue
        key, equals, value = entry.partition("=")
        key = key.strip()
        value = value.strip()
        if not equals:
            settings[key] = True
        elif value.isdigit():
            settings[key] = int(value)
        else:
            settings[key] = value
    return settings
