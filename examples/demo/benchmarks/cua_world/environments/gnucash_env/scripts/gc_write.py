"""Writes to a GnuCash book through GnuCash's own Python bindings (package python3-gnucash).

Used inside the virtual machine by build_book.py and by the tasks' setup_task.sh. Going through the bindings
rather than through SQL keeps every book a file that GnuCash itself has written.
"""

import contextlib
import datetime
from decimal import Decimal

import gnucash
from gnucash import Account, GncNumeric, Session, Split, Transaction, gnucash_core_c
from gnucash.gnucash_business import (
    Bill,
    Customer,
    Entry,
    Invoice,
    TaxTable,
    TaxTableEntry,
    Vendor,
)

ACCOUNT_TYPES = {
    "ASSET": gnucash.ACCT_TYPE_ASSET,
    "BANK": gnucash.ACCT_TYPE_BANK,
    "CASH": gnucash.ACCT_TYPE_CASH,
    "CREDIT": gnucash.ACCT_TYPE_CREDIT,
    "EQUITY": gnucash.ACCT_TYPE_EQUITY,
    "EXPENSE": gnucash.ACCT_TYPE_EXPENSE,
    "INCOME": gnucash.ACCT_TYPE_INCOME,
    "LIABILITY": gnucash.ACCT_TYPE_LIABILITY,
    "PAYABLE": gnucash.ACCT_TYPE_PAYABLE,
    "RECEIVABLE": gnucash.ACCT_TYPE_RECEIVABLE,
    "STOCK": gnucash.ACCT_TYPE_STOCK,
}


@contextlib.contextmanager
def open_book(path, create=False):
    """The book at `path`, closed when the block ends. The SQL backend writes every edit as it is committed."""
    if create:
        # Edits made in the session that creates a store are not written reliably: create it, then open it.
        # GnuCash 5 does not load a new store by itself, and keeps it locked then.
        # (GnuCash logs a failed insert into `books` here and carries on: the row is there already.)
        store = Session(f"sqlite3://{path}", gnucash.SessionOpenMode.SESSION_NEW_STORE)
        store.load()
        store.end()
    session = Session(f"sqlite3://{path}", gnucash.SessionOpenMode.SESSION_NORMAL_OPEN)
    try:
        yield session.book
    finally:
        session.end()


def number(amount):
    """An exact amount in hundredths."""
    return GncNumeric(int((Decimal(str(amount)) * 100).to_integral_value()), 100)


def day(text):
    """A date written YYYY-MM-DD."""
    return datetime.date.fromisoformat(text)


def noon(date):
    """Noon of a day: the time GnuCash gives a date without one is close to it, and it is the same day in every zone."""
    return datetime.datetime(date.year, date.month, date.day, 12, 0)


def usd(book):
    """The book's currency."""
    return book.get_table().lookup("CURRENCY", "USD")


def account(book, full_name):
    """The account with this full name, parts joined by colons."""
    found = book.get_root_account()
    for part in full_name.split(":"):
        found = found.lookup_by_name(part)
        if found is None:
            raise KeyError(f"the book has no account {full_name}")
    return found


def add_account(book, full_name, kind, code="", placeholder=False, description=""):
    """Adds an account below one that exists."""
    parent, _, name = full_name.rpartition(":")
    new = Account(book)
    new.SetName(name)
    new.SetType(ACCOUNT_TYPES[kind])
    new.SetCommodity(usd(book))
    new.SetCode(code)
    new.SetDescription(description)
    new.SetPlaceholder(placeholder)
    (account(book, parent) if parent else book.get_root_account()).append_child(new)
    return new


def add_transaction(book, date, description, splits, num="", notes="", cleared=None):
    """Adds a transaction.

    `splits` holds (account's full name, amount, memo). `cleared` maps an account's full name to a date: its
    splits are reconciled as of that day.
    """
    transaction = Transaction(book)
    transaction.BeginEdit()
    transaction.SetCurrency(usd(book))
    transaction.SetDate(date.day, date.month, date.year)
    transaction.SetDescription(description)
    if num:
        transaction.SetNum(num)
    if notes:
        transaction.SetNotes(notes)
    for full_name, amount, memo in splits:
        split = Split(book)
        split.SetParent(transaction)
        split.SetAccount(account(book, full_name))
        split.SetValue(number(amount))
        split.SetAmount(number(amount))
        split.SetMemo(memo)
        if cleared and full_name in cleared:
            split.SetReconcile("y")
            split.SetDateReconciledSecs(noon(cleared[full_name]))
    transaction.CommitEdit()
    return transaction


def add_party(book, kind, number_, name, address1, address2, email):
    """Adds a customer or a vendor."""
    party = {"customer": Customer, "vendor": Vendor}[kind](book, number_, usd(book), name)
    party.BeginEdit()
    address = party.GetAddr()
    address.SetName(name)
    address.SetAddr1(address1)
    address.SetAddr2(address2)
    address.SetEmail(email)
    party.CommitEdit()
    return party


def add_tax_table(book, name, full_name, percent):
    """Adds a tax table with a single rate."""
    entry = TaxTableEntry(account(book, full_name), True, GncNumeric(int(Decimal(str(percent)) * 100000), 100000))
    return TaxTable(book, name, entry)


def add_terms(book, name, description, due_days, discount_days=0, discount=0):
    """Adds billing terms counted in days."""
    core = gnucash_core_c
    terms = core.gncBillTermCreate(book.instance)
    core.gncBillTermBeginEdit(terms)
    core.gncBillTermSetName(terms, name)
    core.gncBillTermSetDescription(terms, description)
    core.gncBillTermSetType(terms, core.GNC_TERM_TYPE_DAYS)
    core.gncBillTermSetDueDays(terms, due_days)
    if discount_days:
        core.gncBillTermSetDiscountDays(terms, discount_days)
        core.gncBillTermSetDiscount(terms, number(discount).instance)
    core.gncBillTermCommitEdit(terms)


def add_document(book, kind, id_, party, date, due, lines, tax_table=None):
    """Adds and posts an invoice or a bill.

    `lines` holds (description, account's full name, quantity, price, taxed).
    """
    bill = kind == "bill"
    document = (Bill if bill else Invoice)(book, id_, usd(book), party, noon(date))
    for description, full_name, quantity, price, taxed in lines:
        entry = Entry(book, document, noon(date))
        entry.SetDateEntered(noon(date))
        entry.SetDescription(description)
        entry.SetQuantity(GncNumeric(int(Decimal(str(quantity)) * 100), 100))
        if bill:
            entry.SetBillAccount(account(book, full_name))
            entry.SetBillPrice(number(price))
            entry.SetBillTaxable(False)
        else:
            entry.SetInvAccount(account(book, full_name))
            entry.SetInvPrice(number(price))
            entry.SetInvTaxable(bool(taxed))
            entry.SetInvTaxIncluded(False)
            if taxed:
                entry.SetInvTaxTable(tax_table)
    ledger = account(book, "Liabilities:Accounts Payable" if bill else "Assets:Current Assets:Accounts Receivable")
    document.PostToAccount(ledger, noon(date), noon(due), lines[0][0], True, False)
    return document


def pay(book, document, amount, date, num=""):
    """Settles a posted invoice into the checking account, or a posted bill from it. `amount` is positive."""
    checking = account(book, "Assets:Current Assets:Business Checking")
    signed = -Decimal(str(amount)) if isinstance(document, Bill) else amount
    document.ApplyPayment(None, checking, number(signed), GncNumeric(1, 1), noon(date), "", num)
