INDENT = "  "


def outline_lines(node, depth=0):
    """Indented lines of a tree [name, children], parents before children."""
    name, children = node
    lines = [INDENT * depth + name]
    for child in children:
        lines.append(outline_lines(child, depth + 1))
    return lines
