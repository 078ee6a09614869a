def may_read(user, owner, public):
    is_admin = user["role"] == "admin"
    is_owner = user["name"] == owner
    return user["active"] and (public or is_admin or is_owner)


def readers(users, owner, public):
    names = []
    for user in users:
        if may_read(user, owner, public):
            names.append(user["name"])
    return sorted(names)
