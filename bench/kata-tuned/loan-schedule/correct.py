def monthly_interest(balance, percent):
    return (balance * percent + 600) // 1200


def schedule(balance, percent, payment, months):
    rows = []
    while balance > 0 and len(rows) < months:
        interest = monthly_interest(balance, percent)
        paid = min(payment, balance + interest)
        principal = paid - interest
        balance -= principal
        rows.append([interest, principal, balance])
    return rows
