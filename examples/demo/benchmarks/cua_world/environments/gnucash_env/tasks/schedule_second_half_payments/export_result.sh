#!/bin/bash
# Writes /tmp/task_result.json: every scheduled transaction of the book.
source /workspace/scripts/task_utils.sh

take_screenshot /tmp/task_end.png

book_python <<'PY'
from gc_read import Export

with Export("schedule_second_half_payments") as result:
    result["scheduled"] = result.book.scheduled()
PY
