#!/bin/bash
# Adds the takings of the first Saturday in July: their tax is in the account's balance, but not due.
source /workspace/scripts/task_utils.sh

begin_task || exit 1

book_python "$BOOK" <<'PY' || exit 1
import sys
import gc_write as gc

with gc.open_book(sys.argv[1]) as book:
    gc.add_transaction(
        book,
        gc.day("2024-07-06"),
        "Counter takings",
        [
            ("Income:Repair Labor", -2780.00, ""),
            ("Income:Parts Sales", -412.00, ""),
            ("Liabilities:Sales Tax Payable", -22.66, "5.5 % on parts"),
            ("Assets:Current Assets:Business Checking", 3214.66, ""),
        ],
        num="DEP",
    )
PY

start_task remit_june_sales_tax
