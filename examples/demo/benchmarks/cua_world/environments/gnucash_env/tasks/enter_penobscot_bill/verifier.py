"""Verifies enter_penobscot_bill: terms, vendor and a posted bill that says what the invoice says."""

from ledger_checks import judge, moves, same, untouched_otherwise

VENDOR = "Penobscot Pad & Reed Supply"
TERMS = "2/10 Net 30"
PARTS, SUPPLIES, FREIGHT = "Expenses:Parts and Materials", "Expenses:Shop Supplies", "Expenses:Freight"
#: (account, quantity, price) of what was shipped.
LINES = [(FREIGHT, 1, 22.35), (PARTS, 4, 11.30), (PARTS, 12, 18.75), (SUPPLIES, 1, 64.00), (SUPPLIES, 6, 5.85)]
POSTING = {PARTS: 270.20, SUPPLIES: 99.10, FREIGHT: 22.35, "Liabilities:Accounts Payable": -391.65}


def verify_enter_penobscot_bill(traj, env_info, task_info):
    return judge(check, "enter_penobscot_bill", 85, traj, env_info)


def check(result, card):
    bills = result["bills"]
    if any(bill["owner"] != VENDOR for bill in bills):
        card.reject("a document was entered for somebody else")
        return
    terms = result["terms"]
    kind = terms == [
        {"name": TERMS, "kind": "GNC_TERM_TYPE_DAYS", "due_days": 30, "discount_days": 10, "discount": 2.0}
    ]
    card.award(15, kind, "the terms exist and count days", essential=True)
    card.award(10, result["default_terms"] == {VENDOR: TERMS}, "they are the vendor's default", essential=True)

    bill = bills[0] if len(bills) == 1 else None
    if not card.award(5, bill is not None and bill["owner_kind"] == "vendor", "one bill is entered", essential=True):
        return
    card.award(10, bill["id"] == "PPR-7902" and bill["billing_id"] == "PO-0618", "number and order", essential=True)
    lines = sorted((line["account"], line["quantity"], line["price"]) for line in bill["lines"])
    exact = len(lines) == len(LINES) and all(
        line[0] == want[0] and same(line[1], want[1]) and same(line[2], want[2])
        for line, want in zip(lines, sorted(LINES))
    )
    card.award(20, exact, "the lines are what was shipped", essential=True)
    untaxed = all(line["tax_table"] == "" and line["description"] for line in bill["lines"])
    card.award(5, exact and untaxed, "lines are described and untaxed", essential=True)
    dates = (bill["opened"], bill["posted"], bill["due"]) == ("2024-06-24", "2024-06-24", "2024-07-24")
    card.award(10, dates and bill["terms"] == TERMS, "opened and posted June 24, due July 24", essential=True)
    posted = bill["posting"] is not None and moves(bill["posting"], POSTING, "2024-06-24")
    card.award(15, posted, "posted to Accounts Payable", essential=True)
    unpaid = same(bill["open_balance"], -391.65)
    clean = untouched_otherwise(result, added=1)
    card.award(10, posted and unpaid and clean, "unpaid, and nothing else was entered", essential=True)
