#!/usr/bin/env python3
"""An example of a custom stage: drops the tasks of some difficulties.

    … | stage-amplify … | drop_by_difficulty.py medium hard | stage-extract …

Reads records on standard input and writes the remaining ones to standard output, unchanged byte for byte, each as
soon as it was read. In place of a record that it drops, it writes a `dropped` record, so that counts add up. `task`
names the task of a record; the task's difficulty is the one in its task.json (in a `files` record), otherwise the one
in the plan. Records of a task without a known difficulty are kept, and so is every line that is not a record: the
next stage reports it.
"""

import json
import sys


def main():
    dropped = set(sys.argv[1:])
    if not dropped or any(word.startswith("-") for word in dropped):
        print(__doc__, file=sys.stderr)
        return 2
    planned = {}
    count = 0
    try:
        for line in sys.stdin.buffer:
            found = difficulty(line, planned)
            if found in dropped:
                count += 1
                line = dropped_record(json.loads(line), found)
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader has closed the pipe. Keep Python from reporting this again when it closes standard output.
        sys.stdout = None
        return 0
    print(f"drop_by_difficulty: {count} records dropped", file=sys.stderr)
    return 0


def dropped_record(record, difficulty):
    """The line that says that `record` was left out."""
    carried = ("env", "task", "index", "annotations")
    dropped = {
        "record": "dropped",
        **{key: record[key] for key in carried if key in record},
        "of": record["record"],
        "stage": "drop_by_difficulty",
        "code": "difficulty",
        "message": f"tasks of the difficulty {difficulty} were not wanted",
    }
    return json.dumps(dropped).encode() + b"\n"


def difficulty(line, planned):
    """The difficulty of the task that a record is about, or None. Stores the difficulties of plans in `planned`."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    task = (record.get("env"), record.get("task"))
    if record.get("record") == "plan":
        planned[str(task)] = record.get("difficulty")
    own = of_task_json(record) if record.get("record") == "files" else None
    found = own or planned.get(str(task))
    return found if isinstance(found, str) else None


def of_task_json(record):
    """The difficulty in the task.json of a `files` record."""
    try:
        return json.loads(record["files"]["task.json"]).get("difficulty")
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
