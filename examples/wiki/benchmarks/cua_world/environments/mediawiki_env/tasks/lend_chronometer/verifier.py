"""Verifies lend_chronometer: enter an approved loan."""

import re

from wiki_checks import field, score

OBJECT, BORROWER = "Chronometer 2214", "Nautical School"
ROW = r"\|\s*\[\[\s*Chronometer 2214\s*\]\]\s*\|\|\s*Nautical School\s*\|\|\s*2024-06-10\s*\|\|\s*2024-09-08\s*$"
OTHERS = ("[[Octant (Spencer)]] || Maritime Museum Elsfleth", "[[Model of the pilot cutter Greta]] || Town Hall")


def verify_lend_chronometer(traj, env_info, task_info):
    return score(lambda result: list(check(result)), "lend_chronometer", env_info)


def check(result):
    changed = result["changed"]
    table, record = changed.get("Loans 2024"), changed.get(OBJECT)
    text = table["text"] if table else ""
    entered = len(re.findall(ROW, text, re.M)) == 1
    yield "the loan is in the table", 35, entered
    yield "the other loans are still there", 10, entered and all(other in text for other in OTHERS)
    yield "the status is on loan", 20, field(record, "status") == "on loan"
    yield "the location is the borrower", 20, field(record, "location") == BORROWER
    kept = field(record, "accession") == "1926.21" and field(record, "maker") == "Kendal & Dent" and text.count("[[") == 3
    clean = changed.keys() == {"Loans 2024", OBJECT} and result["deleted"] == result["moved"] == []
    yield "nothing else was changed", 15, kept and clean
