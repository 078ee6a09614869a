def majority(votes, default):
    leader = None
    lead = 0
    for vote in votes:
        if lead == 0:
            leader = vote
        lead += 1 if vote == leader else -1
    total = votes.count(leader)
    if total * 2 > len(votes):
        return leader
    return default
