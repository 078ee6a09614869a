def parse_settings(text):
    settings = {}
    section = ""
    for line in text.split("\n"):
        line = line.strip()
        if not line or line[0] in ";#":
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
            settings.setdefault(section, {})
        elif "=" in line:
            key, value = line.split("=", 1)
            settings.setdefault(section, {})[key.strip()] = value.strip()
    return settings
