#!/bin/bash
# Writes /tmp/task_result.json: the terms, the vendor's default terms, and every document that is new.
source /workspace/scripts/task_utils.sh

take_screenshot /tmp/task_end.png

book_python <<'PY'
from gc_read import Export

with Export("enter_penobscot_bill") as result:
    book = result.book
    result["terms"] = [
        {
            "name": row["name"],
            "kind": row["type"],
            "due_days": row["duedays"],
            "discount_days": row["discountdays"],
            "discount": row["discount_num"] / row["discount_denom"],
        }
        for row in book.rows("SELECT * FROM billterms WHERE COALESCE(parent, '') = '' AND invisible = 0 ORDER BY name")
        if row["name"] != "Net 30"
    ]
    result["default_terms"] = {
        row["vendor"]: row["terms"]
        for row in book.rows(
            "SELECT v.name AS vendor, t.name AS terms FROM vendors v JOIN billterms t ON t.guid = v.terms"
        )
    }
    unused = ("credit_note", "job", "notes")
    result["bills"] = [
        {key: value for key, value in bill.items() if key not in unused} for bill in result.new_documents()
    ]
PY
