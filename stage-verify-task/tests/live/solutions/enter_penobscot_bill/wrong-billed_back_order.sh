# Enters the bill through GnuCash's own library, with the application closed; then opens the book again.
set -eu
book="$HOME/Documents/casco_bay_repair.gnucash"
pkill -x gnucash || true
for _ in $(seq 100); do pgrep -x gnucash >/dev/null || break; sleep 0.1; done
sqlite3 "$book" "DELETE FROM gnclock"
PYTHONPATH=/workspace/scripts /usr/bin/python3 -B - "$book" <<'PY'
import sys
import gc_write as gc
from gnucash import gnucash_core_c as core
with gc.open_book(sys.argv[1]) as book:
    gc.add_terms(book, "2/10 Net 30", "2 % within 10 days, due after 30", 30, 10, 2)
    terms = core.gncBillTermLookupByName(book.instance, "2/10 Net 30")
    vendor = book.VendorLookupByID("000001")
    vendor.BeginEdit(); core.gncVendorSetTerms(vendor.instance, terms); vendor.CommitEdit()
    print(vendor.GetName())
    lines = [
        ("Clarinet pad set", "Expenses:Parts and Materials", 12, 18.75, False),
        ("Natural cork sheet", "Expenses:Parts and Materials", 4, 11.30, False),
        ("Leak light", "Expenses:Shop Supplies", 1, 64.00, False),
        ("Key oil", "Expenses:Shop Supplies", 6, 5.85, False),
        ("Saxophone resonator set", "Expenses:Parts and Materials", 3, 29.40, False),
        ("Shipping", "Expenses:Freight", 1, 22.35, False),
    ]
    from gnucash.gnucash_business import Bill, Entry
    from gnucash import GncNumeric
    from decimal import Decimal
    date, due = gc.day("2024-06-24"), gc.day("2024-07-24")
    bill = Bill(book, "PPR-7902", gc.usd(book), vendor, gc.noon(date))
    bill.SetBillingID("PO-0618")
    core.gncInvoiceSetTerms(bill.instance, terms)
    for text, name, quantity, price, _ in lines:
        entry = Entry(book, bill, gc.noon(date))
        entry.SetDateEntered(gc.noon(date)); entry.SetDescription(text)
        entry.SetQuantity(GncNumeric(quantity * 100, 100)); entry.SetBillAccount(gc.account(book, name))
        entry.SetBillPrice(gc.number(price)); entry.SetBillTaxable(False)
    bill.PostToAccount(gc.account(book, "Liabilities:Accounts Payable"), gc.noon(date), gc.noon(due), "PPR-7902", True, False)
PY
setsid gnucash "$book" >/tmp/gnucash.log 2>&1 </dev/null &
for _ in $(seq 300); do wmctrl -l | grep -q "casco_bay_repair.* - GnuCash" && break; sleep 0.1; done
