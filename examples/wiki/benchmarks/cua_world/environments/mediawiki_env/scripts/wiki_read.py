#!/usr/bin/python3
"""Reads the wiki's database, without the wiki:

    wiki_read.py baseline TASK      keeps what the wiki holds before the agent starts
    wiki_read.py export TASK        writes /tmp/task_result.json: the pages that changed since, and the moves

The tables are those of https://www.mediawiki.org/wiki/Manual:Database_layout. Standard library only.
"""

import contextlib
import json
import os
import pathlib
import sqlite3
import sys
import tempfile

DATABASE = "/var/lib/mediawiki_env/db/wiki.sqlite"
#: Only root can read it.
BASELINE = pathlib.Path("/var/lib/mediawiki_env/baseline.json")
RESULT = pathlib.Path("/tmp/task_result.json")
NAMESPACES = {0: "", 10: "Template:", 14: "Category:"}

PAGES = """
    SELECT page_namespace, page_title, page_is_redirect, old_text FROM page
    JOIN slots ON slot_revision_id = page_latest JOIN content ON content_id = slot_content_id
    JOIN text ON old_id = CAST(SUBSTR(content_address, 4) AS INTEGER)
"""
MOVES = "SELECT log_title, log_params FROM logging WHERE log_type = 'move'"


def pages():
    """The text of every page, by title."""
    with contextlib.closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as wiki:
        found = {}
        for namespace, title, is_redirect, text in wiki.execute(PAGES):
            text = text.decode() if isinstance(text, bytes) else text
            name = NAMESPACES.get(namespace, f"{namespace}:") + decoded(title).replace("_", " ")
            found[name] = {"text": text, "redirect": bool(is_redirect)}
        return found


def moves():
    """The old titles of pages that were moved."""
    with contextlib.closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as wiki:
        return sorted(decoded(title).replace("_", " ") for title, _ in wiki.execute(MOVES))


def decoded(value):
    return value.decode() if isinstance(value, bytes) else value


def write(path, value, mode):
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        os.fchmod(file.fileno(), mode)
    os.replace(temporary, path)


def export(task):
    result = {"task": task, "error": ""}
    try:
        baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
        if baseline["task"] != task:
            raise ValueError(f"the baseline is of {baseline['task']}")
        before, now = baseline["pages"], pages()
        result["baseline"] = {"pages": len(before)}
        result["changed"] = {title: page for title, page in now.items() if page != before.get(title)}
        result["deleted"] = sorted(before.keys() - now.keys())
        result["moved"] = moves()
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        write(RESULT, result, 0o644)


if __name__ == "__main__":
    if sys.argv[1:2] == ["baseline"]:
        write(BASELINE, {"task": sys.argv[2], "pages": pages()}, 0o600)
    elif sys.argv[1:2] == ["export"]:
        export(sys.argv[2])
    else:
        sys.exit(__doc__)
