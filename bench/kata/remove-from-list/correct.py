def remove_value(head, unwanted):
    """Linked list {"value": v, "next": node} without the unwanted values."""
    anchor = {"value": None, "next": head}
    node = anchor
    while node["next"] is not None:
        if node["next"]["value"] == unwanted:
            node["next"] = node["next"]["next"]
        else:
            node = node["next"]
    return anchor["next"]
