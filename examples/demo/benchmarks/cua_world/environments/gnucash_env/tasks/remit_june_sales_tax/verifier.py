"""Verifies remit_june_sales_tax: each month is paid what it owes, in a payment of its own."""

from ledger_checks import judge, moves, same, untouched_otherwise

CHECKING = "Assets:Current Assets:Business Checking"
TAX = "Liabilities:Sales Tax Payable"
#: Tax that no return covered: all of June, and the invoices of 2024-014, -015 and -017 before it.
OWED = {
    "June return": 188.16,
    "February return, amended": 11.69,
    "April return, amended": 2.48,
    "May return, amended": 10.12,
}
JULY = 22.66


def verify_remit_june_sales_tax(traj, env_info, task_info):
    return judge(check, "remit_june_sales_tax", 85, traj, env_info)


def check(result, card):
    payments = result["payments"]
    if any(split["account"] == TAX and split["value"] < 0 for entry in payments for split in entry["splits"]):
        card.reject("an entry adds to the tax that is owed")
        return
    paid = {month: [entry for entry in payments if pays(entry, month)] for month in OWED}
    june = card.award(30, len(paid["June return"]) == 1, "June is remitted with 188.16", essential=True)
    for month in list(OWED)[1:]:
        card.award(15, len(paid[month]) == 1, f"{month}: {OWED[month]:.2f}", essential=True)
    labelled = payments and all(
        entry["num"] == "EFT" and entry["description"] == "Maine Revenue Services sales tax" for entry in payments
    )
    card.award(5, june and labelled, "every payment has its number and description")
    left = same(result["balance_july_15"], -JULY)
    card.award(10, left, "only July's tax is left on July 15", essential=True)
    card.award(10, june and untouched_otherwise(result, added=4), "four entries, nothing else", essential=True)


def pays(entry, month):
    """Whether an entry pays what a month owes and says so."""
    memos = {split["memo"].strip().lower() for split in entry["splits"] if split["account"] == TAX}
    amount = OWED[month]
    return moves(entry, {TAX: amount, CHECKING: -amount}, "2024-07-15") and memos == {month.lower()}
