def tags_balanced(text):
    open_tags = []
    position = text.find("<")
    while position != -1:
        end = text.find(">", position)
        if end == -1:
            return False
        tag = text[position + 1:end]
        if tag.startswith("/"):
            if not open_tags or open_tags.pop() != tag[1:]:
                return False
        elif not tag.endswith("/"):
            open_tags.append(tag)
        position = text.find("<", end)
    return not open_tags
