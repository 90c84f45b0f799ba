"""Verifies schedule_second_half_payments: three schedules with the right rhythm, span, amounts and accounts."""

from ledger_checks import equal_amounts, judge, untouched_otherwise

CHECKING = "Assets:Current Assets:Business Checking"
PREPAID = "Assets:Current Assets:Prepaid Insurance"

RENT, INSURANCE, ADVERTISEMENT = "Workshop rent", "Insurance used", "Quarterly advertisement"
#: 1,450.00 raised by 4 %, and 38.50; a twelfth of 1,968.00; what the advertisement cost in February and May.
MOVES = {
    RENT: {"Expenses:Rent": 1546.50, CHECKING: -1546.50},
    INSURANCE: {"Expenses:Insurance": 164.00, PREPAID: -164.00},
    ADVERTISEMENT: {"Expenses:Advertising": 135.00, "Liabilities:Business Visa": -135.00},
}


def verify_schedule_second_half_payments(traj, env_info, task_info):
    return judge(check, "schedule_second_half_payments", 85, traj, env_info)


def check(result, card):
    scheduled = {entry["name"]: entry for entry in result["scheduled"]}
    rent, insurance, advertisement = (scheduled.get(name) for name in (RENT, INSURANCE, ADVERTISEMENT))

    card.award(15, rent and is_due(rent, "2024-07-02", 1, "month"), "rent: monthly from July 2", essential=True)
    endless = rent and rent["last"] == "" and rent["occurrences"] == 0
    card.award(5, endless and rent["create_automatically"] is True, "rent: endless and automatic", essential=True)
    card.award(15, rent and right_amounts(rent), "rent: 1,546.50 to Rent", essential=True)

    monthly = insurance and (
        is_due(insurance, "2024-07-31", 1, "end of month") or is_due(insurance, "2024-07-31", 1, "month")
    )
    card.award(15, monthly, "insurance: last day of each month from July", essential=True)
    ends = insurance and until_december(insurance) and insurance["create_automatically"] is True
    card.award(10, ends, "insurance: July to December, automatic", essential=True)
    card.award(10, insurance and right_amounts(insurance), "insurance: 164.00 from Prepaid", essential=True)

    quarterly = advertisement and is_due(advertisement, "2024-08-22", 3, "month")
    card.award(10, quarterly, "advertisement: every three months from August 22", essential=True)
    twice = advertisement and (
        (advertisement["occurrences"] == 2 and advertisement["last"] == "")
        or "2024-11-22" <= advertisement["last"] < "2025-02-22"
    )
    manual = advertisement and advertisement["create_automatically"] is False
    card.award(5, twice and manual, "advertisement: twice, not automatic", essential=True)
    card.award(10, advertisement and right_amounts(advertisement), "advertisement: 135.00 on the card", essential=True)

    clean = card.score and len(result["scheduled"]) == len(MOVES) and untouched_otherwise(result)
    card.award(5, clean, "three schedules, and no entry was added or changed", essential=True)


def is_due(entry, first, interval, unit):
    return entry["enabled"] is True and entry["first"] == first and entry["every"] == [[interval, unit]]


def until_december(entry):
    """Whether December is the last month, by an end date or by six occurrences."""
    return "2024-12-31" <= entry["last"] < "2025-01-31" or (entry["occurrences"] == 6 and entry["last"] == "")


def right_amounts(entry):
    """Whether the template has one split for each account, with its amount."""
    sums = {split["account"]: split["value"] for split in entry["splits"]}
    return len(entry["splits"]) == 2 and equal_amounts(sums, MOVES[entry["name"]])
