"""What the verifiers of this environment share: reading the result, the fields of a record, keeping score."""

import json
import os
import re
import tempfile

RESULT = "/tmp/task_result.json"


def score(check, task, env_info):
    """Runs `check(result)`, which returns (criterion, points, met) rows; all must be met."""
    handle, path = tempfile.mkstemp(suffix=".json")
    os.close(handle)
    try:
        env_info["copy_from_env"](RESULT, path)
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
    except Exception as error:  # Each runner raises exceptions of its own kind.
        return {"passed": False, "score": 0, "feedback": f"no result could be read: {type(error).__name__}: {error}"}
    finally:
        os.unlink(path)
    if not isinstance(result, dict) or result.get("task") != task or result.get("error") != "":
        return {"passed": False, "score": 0, "feedback": f"the result is not one of {task}"}
    try:
        rows = check(result)
    except (AttributeError, KeyError, TypeError) as error:
        return {"passed": False, "score": 0, "feedback": f"the result is malformed: {type(error).__name__}: {error}"}
    lines = [f"{'+' if met else '-'}{points if met else 0} {criterion}" for criterion, points, met in rows]
    total = sum(points for _, points, met in rows if met)
    return {"passed": all(met for *_, met in rows), "score": total, "feedback": "; ".join(lines)}


def field(page, name):
    """The value of a field of the template Object in a changed page; empty without one."""
    found = re.search(rf"^\|\s*{name}\s*=[ \t]*(.*?)[ \t]*$", page["text"] if page else "", re.M)
    return found[1] if found else ""


def links(page, title):
    """Whether a page links to this title."""
    return re.search(rf"\[\[\s*{re.escape(title)}\s*(\||\]\])", page["text"] if page else "") is not None


def redirects(page, title):
    """Whether a page is a redirect to this title."""
    target = title[0].upper() + title[1:]
    return page is not None and page["redirect"] and links(page, target)
