#!/bin/bash
# Writes /tmp/task_result.json: the state of the checking account's splits and the entries in question.
source /workspace/scripts/task_utils.sh

take_screenshot /tmp/task_end.png

book_python <<'PY'
from gc_read import Export

CHECKING = "Assets:Current Assets:Business Checking"
SAVINGS = "Assets:Current Assets:Business Savings"

with Export("reconcile_june_statement") as result:
    splits = result.book.splits(CHECKING)
    reconciled = [s for _, s in splits if s["reconciled"] == "y"]
    result["reconciled_balance"] = round(sum(s["value"] for s in reconciled), 2)
    result["reconciled_on"] = sorted({s["reconciled_on"] for s in reconciled if s["reconciled_on"] > "2024-05-31"})
    result["unreconciled"] = [
        {"date": t["date"], "value": s["value"]} for t, s in splits if s["reconciled"] != "y"
    ]
    result["reconciled_savings_splits"] = sum(1 for _, s in result.book.splits(SAVINGS) if s["reconciled"] == "y")
    june = [t for t in result.book.transactions.values() if t["date"].startswith("2024-06")]
    result["power_bills"] = [result.entry(t) for t in june if t["description"] == "Central Maine Power"]
    result["rental_deposits"] = [
        result.entry(t) for t in june if t["description"] == "Fore River Conservatory rental fleet"
    ]
    result["added"] = [result.entry(t) for t in result.added]
PY
