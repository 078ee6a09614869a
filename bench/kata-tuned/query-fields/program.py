def query_fields(query):
    fields = {}
    for pair in query.lstrip("?").split("&"):
        if pair == "":
            continue
        name, _, value = pair.rpartition("=")
        fields.setdefault(name, []).append(value.replace("+", " "))
    return fields
