"""Verifies reconcile_june_statement: the book agrees with the bank, and only with what the bank has processed."""

from ledger_checks import judge, moves, same, untouched_otherwise

CHECKING = "Assets:Current Assets:Business Checking"
ENDING_BALANCE = 42175.80
STATEMENT_DATE = "2024-06-28"
POWER_BILL = {"Expenses:Utilities:Electricity": 140.93, CHECKING: -140.93}
FEE = {"Expenses:Bank Fees": 15.00, CHECKING: -15.00}
RENTAL = {CHECKING: 510.00, "Income:Instrument Rental": -510.00}
#: What the bank has not processed: the owner's check and the takings of Saturday the 29th.
OUTSTANDING = {("2024-06-24", -2400.00), ("2024-06-29", 4101.39)}


def verify_reconcile_june_statement(traj, env_info, task_info):
    return judge(check, "reconcile_june_statement", 85, traj, env_info)


def check(result, card):
    if result["reconciled_savings_splits"]:
        card.reject("the savings account was reconciled, not checking")
        return
    bills, rentals, added = result["power_bills"], result["rental_deposits"], result["added"]
    power = len(bills) == 1 and moves(bills[0], POWER_BILL, "2024-06-09")
    card.award(15, power, "the power bill is corrected to 140.93", essential=True)
    fees = [entry for entry in added if moves(entry, FEE, STATEMENT_DATE)]
    card.award(15, len(fees) == 1, "the service fee is entered", essential=True)
    single = len(rentals) == 1 and moves(rentals[0], RENTAL)
    card.award(15, single, "the double rental deposit is deleted", essential=True)

    reconciled = same(result["reconciled_balance"], ENDING_BALANCE) and result["reconciled_on"] == [STATEMENT_DATE]
    card.award(30, reconciled, "reconciled to 42,175.80 as of June 28", essential=True)
    left = {(entry["date"], round(entry["value"], 2)) for entry in result["unreconciled"]}
    exact = left == OUTSTANDING and len(result["unreconciled"]) == len(OUTSTANDING)
    card.award(15, exact, "exactly the two outstanding entries stay unreconciled", essential=True)
    clean = untouched_otherwise(result, added=1, changed=1, removed=1)
    card.award(10, reconciled and clean, "nothing else was changed", essential=True)
