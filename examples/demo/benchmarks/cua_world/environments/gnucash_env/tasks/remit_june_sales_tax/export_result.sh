#!/bin/bash
# Writes /tmp/task_result.json: the new entries, and the account's balance once they are paid.
source /workspace/scripts/task_utils.sh

take_screenshot /tmp/task_end.png

book_python <<'PY'
from gc_read import Export

with Export("remit_june_sales_tax") as result:
    result["payments"] = [result.entry(t, "num", "description", memos=True) for t in result.added]
    result["balance_july_15"] = result.book.balance("Liabilities:Sales Tax Payable", "2024-07-15")
PY
