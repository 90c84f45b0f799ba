#!/usr/bin/python3
"""Builds the book that every task starts from: build_book.py DATA_DIR BOOK.

Reads the chart of accounts, the journal, the parties and their invoices and bills from the CSV files of
DATA_DIR and writes a new GnuCash book in the SQLite format.
"""

import csv
import datetime
import itertools
import pathlib
import sys

import gc_write as gc

CHECKING = "Assets:Current Assets:Business Checking"
#: The last bank statement that has been reconciled, and the checks it did not yet show.
STATEMENT = datetime.date(2024, 5, 31)
OUTSTANDING = {"2049"}


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def main():
    data, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    target.unlink(missing_ok=True)
    with gc.open_book(target.resolve(), create=True) as book:
        add_accounts(book, data)
        tax_table = gc.add_tax_table(book, "Maine Sales Tax", "Liabilities:Sales Tax Payable", 5.5)
        gc.add_terms(book, "Net 30", "Due in 30 days", 30)
        add_journal(book, data)
        parties = add_parties(book, data)
        add_documents(book, data, parties, tax_table)


def add_accounts(book, data):
    for row in rows(data / "chart_of_accounts.csv"):
        gc.add_account(
            book, row["full_name"], row["type"], row["code"], row["placeholder"] == "yes", row["description"]
        )


def add_journal(book, data):
    for _, group in itertools.groupby(rows(data / "journal.csv"), key=lambda row: row["txn"]):
        splits = list(group)
        first = splits[0]
        date = gc.day(first["date"])
        reconciled = date <= STATEMENT and first["num"] not in OUTSTANDING
        gc.add_transaction(
            book,
            date,
            first["description"],
            [(row["account"], row["amount"], row["memo"]) for row in splits],
            num=first["num"],
            cleared={CHECKING: last_of_month(date)} if reconciled else None,
        )


def last_of_month(date):
    following = date.replace(day=28) + datetime.timedelta(days=4)
    return following - datetime.timedelta(days=following.day)


def add_parties(book, data):
    parties = {}
    for kind in ("customer", "vendor"):
        for row in rows(data / f"{kind}s.csv"):
            party = gc.add_party(
                book, kind, row["id"], row["name"], row["address1"], row["address2"], row["email"]
            )
            parties[kind, row["id"]] = party
    return parties


def add_documents(book, data, parties, tax_table):
    for (kind, id_), group in itertools.groupby(
        rows(data / "invoices.csv"), key=lambda row: (row["kind"], row["id"])
    ):
        lines = list(group)
        first = lines[0]
        party = parties["vendor" if kind == "bill" else "customer", first["party"]]
        document = gc.add_document(
            book,
            kind,
            id_,
            party,
            gc.day(first["date"]),
            gc.day(first["due"]),
            [(r["description"], r["account"], r["quantity"], r["price"], r["taxed"] == "yes") for r in lines],
            tax_table,
        )
        if first["paid_on"]:
            total = document.GetTotal().to_double()
            gc.pay(book, document, f"{total:.2f}", gc.day(first["paid_on"]))


if __name__ == "__main__":
    main()
