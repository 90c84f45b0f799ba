#!/bin/bash
# A second, disused record of the same vendor, and the invoice.
source /workspace/scripts/task_utils.sh

begin_task || exit 1

book_python "$BOOK" <<'PY' || exit 1
import sys
import gc_write as gc

with gc.open_book(sys.argv[1]) as book:
    gc.add_party(
        book,
        "vendor",
        "000004",
        "Penobscot Pad & Reed Supply (closed 2022)",
        "2 Harlow Street",
        "Bangor, ME 04401",
        "",
    )
PY

inbox penobscot_PPR-7902.txt <<'TXT'
PENOBSCOT PAD & REED SUPPLY
14 Exchange Street, Bangor, ME 04401

INVOICE  PPR-7902                         Date: June 24, 2024
Customer: Casco Bay Instrument Repair     Your order: PO-0618
Terms: 2/10, net 30 (new as of June 1, 2024)

Qty   Item                                         Each      Amount
 12   Clarinet pad set, double skin               18.75      225.00
  4   Natural cork sheet, 1/16 in.                11.30       45.20
  1   Leak light, LED, 36 in.                     64.00       64.00
  6   Key oil, 30 ml                               5.85       35.10
  3   Saxophone resonator set      BACK-ORDERED   29.40        0.00
      Shipping                                    22.35       22.35

Total due                                                    391.65
Back-ordered items are billed when they ship.
TXT

start_task enter_penobscot_bill
