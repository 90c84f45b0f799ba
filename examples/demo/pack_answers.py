#!/usr/bin/env python3
"""Generates answers.jsonl, the journal for `--model replay:FILE`, from the Markdown files in answers/.

    pack_answers.py             writes answers.jsonl
    pack_answers.py --check     fails if answers.jsonl is not what would be written

answers/plan.md is the answer to plan/1, answers/readme/TASK.md the one to readme/TASK; likewise for files/,
checklist/, fixtures/ and solution/. No request was ever sent, so `request` is a hash of the label; replay uses only the label.
"""

import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
JOURNAL = HERE / "answers.jsonl"
NOTHING = {"uncached_input": 0, "cache_read": 0, "output_visible": 0, "output_reasoning": 0}


def main():
    journal = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries())
    if sys.argv[1:] == ["--check"]:
        if not JOURNAL.exists() or JOURNAL.read_text(encoding="utf-8") != journal:
            print(f"{JOURNAL.name} is stale: run {pathlib.Path(__file__).name}", file=sys.stderr)
            return 1
        return 0
    JOURNAL.write_text(journal, encoding="utf-8")
    return 0


def entries():
    """The journal's entries: the plan, the READMEs, the files, the checklists, the fixtures, the
    solutions; tasks in alphabetical order."""
    answers = HERE / "answers"
    yield entry("plan/1", answers / "plan.md")
    for kind in ("readme", "files", "checklist", "fixtures", "solution"):
        for path in sorted((answers / kind).glob("*.md")):
            yield entry(f"{kind}/{path.stem}", path)


def entry(label, path):
    return {
        "label": label,
        "request": hashlib.sha256(label.encode()).hexdigest(),
        "model": "hand-written",
        "text": path.read_text(encoding="utf-8"),
        "stop": "end",
        "usage": NOTHING,
        "seconds": 0.0,
    }


if __name__ == "__main__":
    sys.exit(main())
