#!/bin/bash
# The book has a duplicate of the rental deposit of June 20; the bank's power bill and service fee differ from it.
source /workspace/scripts/task_utils.sh

begin_task || exit 1

book_python "$BOOK" <<'PY' || exit 1
import sys
import gc_write as gc

with gc.open_book(sys.argv[1]) as book:
    gc.add_transaction(
        book,
        gc.day("2024-06-21"),
        "Fore River Conservatory rental fleet",
        [
            ("Assets:Current Assets:Business Checking", 510.00, ""),
            ("Income:Instrument Rental", -510.00, "Monthly rental"),
        ],
        num="ACH",
    )
PY

inbox statement_2024-06.txt <<'TXT'
CASCO TRUST                                        STATEMENT OF ACCOUNT
Business Checking ending 4471                      Casco Bay Instrument Repair
Statement period 06/01/2024 to 06/28/2024

Beginning balance                                             36,838.60

DATE    DESCRIPTION                          WITHDRAWAL         DEPOSIT
06/03   Deposit                                                3,553.13
06/03   Check 2049                             1,450.00
06/04   Mobile deposit Back Cove Comm Band                       487.48
06/05   Casco Trust term loan                    352.86
06/05   Check 2050                             1,450.00
06/10   Deposit                                                3,168.26
06/10   Central Maine Power                      140.93
06/14   Payroll direct deposit                 2,503.65
06/17   Penobscot Pad & Reed                     412.60
06/17   ME Revenue Svcs sales tax                114.81
06/17   ME Revenue Svcs withholding              352.00
06/17   IRS EFTPS                              2,382.12
06/17   Deposit                                                3,446.46
06/20   Fore River Conservatory                                  510.00
06/24   Deposit                                                4,006.50
06/27   Casco Trust Visa payment                 660.66
06/28   Monthly service fee                       15.00

Ending balance 06/28/2024                                     42,175.80
TXT

start_task reconcile_june_statement
