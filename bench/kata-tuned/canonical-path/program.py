def canonical_path(path):
    parts = []
    for part in path.split("/"):
        if part == "" or part == ".":
            continue
        if part == "..":
            if parts:
                parts.clear()
        else:
            parts.append(part)
    return "/" + "/".join(parts)
