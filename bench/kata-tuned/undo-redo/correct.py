def edit(commands):
    text = ""
    done = []
    undone = []
    for name, *args in commands:
        if name == "undo":
            if done:
                undone.append(text)
                text = done.pop()
        elif name == "redo":
            if undone:
                done.append(text)
                text = undone.pop()
        else:
            done.append(text)
            undone.clear()
            if name == "type":
                text += args[0]
            elif name == "delete":
                text = text[:max(0, len(text) - args[0])]
    return text
