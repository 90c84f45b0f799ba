#!/usr/bin/env python3
"""What the Makefile asks of records, and of names, on standard input.

    records.py asked STAGE NAME…  what run.json says was asked of a stage; a dash for what it does not say
    records.py has KIND         whether a record of this kind is among the lines; lines that are not records are skipped
    records.py folders ROOT     the folders of the tasks that the seeds are, below ROOT, that are there
    records.py not-run          how many trials say that their task was not run in the real software, by reason
    records.py similar NAME     the line that NAME may have meant, if one is spelled like it
"""

import collections
import difflib
import json
import os
import re
import sys


def records():
    """The lines that are records."""
    for line in sys.stdin.buffer:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record


def asked(stage, *names):
    try:
        settings = json.load(sys.stdin.buffer)[stage]["asked"]
        values = [settings.get(name) for name in names]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        values = [None] * len(names)
    # It becomes text of a Makefile: what make or the shell would read otherwise is not used.
    is_plain = re.compile(r"[\w .,:+()/-]+").fullmatch
    print(*(value if value is not None and is_plain(str(value)) else "-" for value in values))
    return 0


def has(kind):
    return 0 if any(record.get("record") == kind for record in records()) else 1


def folders(root):
    dirs = (record.get("dir") for record in records() if record.get("record") == "seed")
    for folder in dict.fromkeys(os.path.join(root, folder) for folder in dirs if isinstance(folder, str)):
        if os.path.isdir(folder):
            print(folder)
    return 0


def not_run():
    reasons = (record.get("not_run") for record in records() if record.get("record") == "trial")
    counts = collections.Counter(reason for reason in reasons if isinstance(reason, str))
    for reason, count in sorted(counts.items()):
        # Escapes of a terminal are not printed.
        shown = "".join(char if char.isprintable() else "?" for char in reason)
        print(f"make: {count} not run in the real software: {shown}")
    return 0


def similar(name):
    upper = {line.strip().upper(): line.strip() for line in sys.stdin}
    for match in difflib.get_close_matches(name.upper(), upper, n=1):
        print(upper[match])
    return 0


COMMANDS = {"asked": asked, "folders": folders, "has": has, "not-run": not_run, "similar": similar}

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))
