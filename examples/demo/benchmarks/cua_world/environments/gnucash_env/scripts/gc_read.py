#!/usr/bin/python3
"""Reads a GnuCash book from its SQLite file, without GnuCash.

Used inside the virtual machine by the tasks' setup_task.sh (to record a baseline) and export_result.sh (to
write the result that the verifier reads). Standard library only. The tables and columns are the ones GnuCash
documents at https://wiki.gnucash.org/wiki/SQL and are the same in versions 4 and 5.

    gc_read.py baseline TASK        records what the book holds before the agent starts
"""

import contextlib
import hashlib
import json
import os
import pathlib
import sqlite3
import sys
import tempfile
import time
from fractions import Fraction

BOOK = pathlib.Path("/home/ga/Documents/casco_bay_repair.gnucash")
#: Only root can read it: the agent cannot learn from it, or change it.
BASELINE = pathlib.Path("/var/lib/gnucash_env/baseline.json")
#: When the set-up was complete.
START = pathlib.Path("/var/lib/gnucash_env/start.json")
RESULT = pathlib.Path("/tmp/task_result.json")

OWNER_KINDS = {2: "customer", 3: "job", 4: "vendor", 5: "employee"}


class Book:
    """What is in a book, in plain Python values. Amounts are in the account's commodity, signs as stored."""

    def __init__(self, path=BOOK):
        if not pathlib.Path(path).is_file():
            raise FileNotFoundError(f"there is no book at {path}")
        # A copy taken through SQLite is consistent even while GnuCash has the book open.
        self.db = sqlite3.connect(":memory:")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as live:
            live.backup(self.db)
        self.db.row_factory = sqlite3.Row
        self.accounts = self._accounts()
        self.transactions = self._transactions()

    def rows(self, query, *values):
        """The rows of a query, as dictionaries."""
        return [dict(row) for row in self.db.execute(query, values)]

    def _accounts(self):
        found = {row["guid"]: row for row in self.rows("SELECT * FROM accounts")}
        root = self.rows("SELECT root_account_guid AS guid FROM books")[0]["guid"]

        def full_name(guid):
            parts = []
            while guid in found and guid != root:
                parts.append(found[guid]["name"])
                guid = found[guid]["parent_guid"]
            return ":".join(reversed(parts)) if guid == root else None

        accounts = {}
        for guid, row in found.items():
            name = full_name(guid)
            if name:  # The accounts of scheduled transactions hang below another root.
                accounts[guid] = {
                    "full_name": name,
                    "type": row["account_type"],
                    "code": row["code"] or "",
                    "description": row["description"] or "",
                    "placeholder": bool(row["placeholder"]),
                    "hidden": bool(row["hidden"]),
                    "commodity": self._commodity(row["commodity_guid"]),
                }
        return accounts

    def _commodity(self, guid):
        found = self.rows("SELECT mnemonic FROM commodities WHERE guid = ?", guid)
        return found[0]["mnemonic"] if found else ""

    def _transactions(self):
        splits = {}
        for row in self.rows("SELECT * FROM splits"):
            if row["account_guid"] in self.accounts:
                splits.setdefault(row["tx_guid"], []).append(self._split(row))
        transactions = []
        for row in self.rows("SELECT * FROM transactions"):
            if row["guid"] in splits:
                transaction = {
                    "guid": row["guid"],
                    "date": row["post_date"][:10],
                    "num": row["num"] or "",
                    "description": row["description"] or "",
                    "currency": self._commodity(row["currency_guid"]),
                    "splits": sorted(splits[row["guid"]], key=lambda s: (s["account"], s["value"], s["memo"])),
                }
                transactions.append(transaction)
        # By what they say: GUIDs are random, and results of the same work should be the same.
        transactions.sort(key=lambda t: (t["date"], t["num"], t["description"], [s["value"] for s in t["splits"]]))
        return {transaction["guid"]: transaction for transaction in transactions}

    def _split(self, row):
        return {
            "account": self.accounts[row["account_guid"]]["full_name"],
            "account_guid": row["account_guid"],
            "value": amount(row["value_num"], row["value_denom"]),
            "quantity": amount(row["quantity_num"], row["quantity_denom"]),
            "memo": row["memo"] or "",
            "action": row["action"] or "",
            "reconciled": row["reconcile_state"],
            "reconciled_on": (row["reconcile_date"] or "")[:10] if row["reconcile_state"] == "y" else "",
        }

    def account(self, full_name):
        """The account with this full name, or None."""
        return next((a for a in self.accounts.values() if a["full_name"] == full_name), None)

    def splits(self, full_name):
        """(transaction, split) of every split in an account, in date order."""
        return [(t, s) for t in self.transactions.values() for s in t["splits"] if s["account"] == full_name]

    def balance(self, full_name, until="9999-12-31"):
        """An account's balance, without its sub-accounts, at the end of a day."""
        total = sum(round(s["quantity"] * 100) for t, s in self.splits(full_name) if t["date"] <= until)
        return total / 100

    def balances(self):
        """The balance of every account, by GUID, in its commodity."""
        totals = dict.fromkeys(self.accounts, 0)
        for transaction in self.transactions.values():
            for split in transaction["splits"]:
                totals[split["account_guid"]] += round(split["quantity"] * 10000)
        return {guid: total / 10000 for guid, total in totals.items()}

    def slot(self, guid, name, column="string_val"):
        """A value from an object's slots, or None."""
        found = self.rows(f"SELECT {column} AS value FROM slots WHERE obj_guid = ? AND name = ?", guid, name)
        return found[0]["value"] if found else None

    def documents(self):
        """Invoices, bills, vouchers and credit notes, with their lines."""
        terms = {row["guid"]: row["name"] for row in self.rows("SELECT guid, name FROM billterms")}
        taxes = {row["guid"]: row["name"] for row in self.rows("SELECT guid, name FROM taxtables")}
        documents = []
        for row in self.rows("SELECT * FROM invoices ORDER BY id"):
            kind, owner = self._owner(row["owner_type"], row["owner_guid"])
            job = self.rows("SELECT id FROM jobs WHERE guid = ?", row["owner_guid"])
            posted = row["post_txn"] or ""
            documents.append(
                {
                    "id": row["id"],
                    "owner_kind": kind,
                    "owner": owner,
                    "job": job[0]["id"] if job else "",
                    "opened": (row["date_opened"] or "")[:10],
                    "posted": (row["date_posted"] or "")[:10] if posted else "",
                    "transaction": posted,
                    "due": self._due(posted),
                    "terms": terms.get(row["terms"], ""),
                    "billing_id": row["billing_id"] or "",
                    "notes": row["notes"] or "",
                    "credit_note": bool(self.slot(row["guid"], "credit-note", "int64_val")),
                    "open_balance": self._lot_balance(row["post_lot"]),
                    "lines": self._lines(row["guid"], taxes),
                }
            )
        return documents

    def _owner(self, kind, guid):
        kind = OWNER_KINDS.get(kind, "")
        if kind == "job":
            job = self.rows("SELECT owner_type, owner_guid FROM jobs WHERE guid = ?", guid)
            return self._owner(job[0]["owner_type"], job[0]["owner_guid"]) if job else ("", "")
        if kind == "employee":
            found = self.rows("SELECT addr_name AS name FROM employees WHERE guid = ?", guid)
        elif kind:
            found = self.rows(f"SELECT name FROM {kind}s WHERE guid = ?", guid)
        else:
            found = []
        return kind, found[0]["name"] if found else ""

    def _due(self, transaction):
        due = self.slot(transaction, "trans-date-due", "timespec_val") if transaction else None
        return (due or "")[:10]

    def _lot_balance(self, lot):
        if not lot:
            return None
        found = self.rows("SELECT quantity_num AS n, quantity_denom AS d FROM splits WHERE lot_guid = ?", lot)
        return round(float(sum(Fraction(row["n"], row["d"]) for row in found)), 2)

    def _lines(self, guid, taxes):
        lines = []
        for row in self.rows("SELECT * FROM entries WHERE invoice = ? OR bill = ?", guid, guid):
            side = "i" if row["invoice"] == guid else "b"
            account = self.accounts.get(row[f"{side}_acct"])
            lines.append(
                {
                    "description": row["description"] or "",
                    "account": account["full_name"] if account else "",
                    "quantity": amount(row["quantity_num"], row["quantity_denom"]),
                    "price": amount(row[f"{side}_price_num"], row[f"{side}_price_denom"]),
                    "tax_table": taxes.get(row[f"{side}_taxtable"], "") if row[f"{side}_taxable"] else "",
                }
            )
        return sorted(lines, key=lambda line: (line["account"], line["quantity"], line["price"]))


    def scheduled(self):
        """Scheduled transactions, with what one occurrence moves."""
        found = []
        for row in self.rows("SELECT * FROM schedxactions ORDER BY name"):
            recurrence = self.rows("SELECT * FROM recurrences WHERE obj_guid = ?", row["guid"])
            found.append(
                {
                    "name": row["name"],
                    "enabled": bool(row["enabled"]),
                    "every": [[r["recurrence_mult"], r["recurrence_period_type"]] for r in recurrence],
                    "first": iso_day(row["start_date"]),
                    "last": iso_day(row["end_date"]),
                    "occurrences": row["num_occur"],
                    "create_automatically": bool(row["auto_create"]),
                    "splits": self._template_splits(row["template_act_guid"]),
                }
            )
        return found

    def _template_splits(self, template_account):
        splits = []
        for row in self.rows("SELECT guid, memo FROM splits WHERE account_guid = ?", template_account):
            frame = self.slot(row["guid"], "sched-xaction", "guid_val")
            account = self.accounts.get(self.slot(frame, "sched-xaction/account", "guid_val"))
            debit, credit = (self.slot(frame, f"sched-xaction/{side}-formula") for side in ("debit", "credit"))
            splits.append(
                {
                    "account": account["full_name"] if account else "",
                    "value": round(formula(debit) - formula(credit), 2),
                }
            )
        return sorted(splits, key=lambda s: (s["account"], s["value"]))


def iso_day(text):
    """A day that GnuCash stores as YYYYMMDD, as YYYY-MM-DD; empty where there is none."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text and len(text) == 8 else ""


def formula(text):
    """The amount of a scheduled split: a plain number. Variables count as 0."""
    try:
        return float((text or "0").replace(",", ""))
    except ValueError:
        return 0.0


def amount(numerator, denominator):
    """A fraction as stored, as a number with at most six decimals."""
    return round(float(Fraction(numerator or 0, denominator or 1)), 6)


def digest(transaction):
    """Changes when a transaction is edited. Reconciling it is no edit, nor is renaming or moving its accounts."""
    kept = [transaction[key] for key in ("date", "num", "description")]
    kept += sorted([s["account_guid"], s["value"], s["quantity"], s["memo"]] for s in transaction["splits"])
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def write_json(path, value, mode=0o644):
    """Replaces a file as a whole. What somebody else may have put there, or beside it, is neither read nor followed."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        os.fchmod(file.fileno(), mode)
    os.replace(temporary, path)


def record_baseline(task):
    """Keeps what the book holds before the agent starts."""
    book = Book()
    BASELINE.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        BASELINE,
        {
            "task": task,
            "accounts": book.accounts,
            "transactions": {guid: digest(t) for guid, t in book.transactions.items()},
            "balances": book.balances(),
            "documents": sorted(d["id"] for d in book.documents()),
        },
        mode=0o600,
    )


def started():
    """When the set-up was complete, in seconds since the epoch, or None."""
    try:
        return json.loads(START.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


class Export:
    """The result of a task: `with Export("task") as result:` writes it when the block ends, whatever happens.

    result.book is the book as the agent left it, result.added the transactions that were not there before.
    result["key"] = value adds to the file.
    """

    def __init__(self, task):
        self.book = None
        self.baseline = {}
        self.added = []
        self.values = {"task": task, "error": "", "task_start": started(), "export_time": int(time.time())}

    def __setitem__(self, key, value):
        self.values[key] = value

    def __enter__(self):
        try:
            self._compare()
        except Exception as error:
            self._write(error)
            raise
        return self

    def __exit__(self, _kind, error, _traceback):
        self._write(error)
        return False

    def _compare(self):
        self.baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
        if self.baseline["task"] != self.values["task"]:
            raise ValueError(f"the baseline is of {self.baseline['task']}")
        self.book = Book()
        before, now = self.baseline["transactions"], self.book.transactions
        self.added = [t for guid, t in now.items() if guid not in before]
        self["baseline"] = {"transactions": len(before)}
        self["transactions"] = {
            "added": len(self.added),
            "changed": sum(1 for guid in before if guid in now and digest(now[guid]) != before[guid]),
            "removed": sum(1 for guid in before if guid not in now),
        }

    def _write(self, error):
        if error is not None:
            self.values["error"] = f"{type(error).__name__}: {error}"
        write_json(RESULT, self.values)

    def changed_accounts(self):
        """The accounts that are new, or in another place or state than before, by full name."""
        before = self.baseline["accounts"]
        return {
            account["full_name"]: {"new": guid not in before, **account}
            for guid, account in self.book.accounts.items()
            if account != before.get(guid)
        }

    def moved(self):
        """The net change of every account whose balance is not what it was, by full name."""
        before = self.baseline["balances"]
        changes = {
            self.book.accounts[guid]["full_name"]: round(balance - before.get(guid, 0), 4)
            for guid, balance in self.book.balances().items()
        }
        return {name: change for name, change in changes.items() if change}

    def new_documents(self):
        """Invoices, bills, vouchers and credit notes that were not there before, with the posting's entry."""
        documents = [d for d in self.book.documents() if d["id"] not in self.baseline["documents"]]
        for document in documents:
            posting = self.book.transactions.get(document.pop("transaction"))
            document["posting"] = self.entry(posting) if posting else None
        return documents

    def entry(self, transaction, *more, memos=False):
        """A transaction in the short form that results hold: date, what it moves, and the fields named in `more`."""
        kept = {key: transaction[key] for key in ("date", *more)}
        fields = ("account", "value", "memo") if memos else ("account", "value")
        kept["splits"] = [{field: split[field] for field in fields} for split in transaction["splits"]]
        return kept


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "baseline":
        record_baseline(sys.argv[2])
    else:
        sys.exit(__doc__)
