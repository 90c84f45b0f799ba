#!/usr/bin/env python3
"""A stage of one's own: drops the tasks of some difficulties.

    … | stage-amplify … | drop_by_difficulty.py medium hard | stage-extract …

Reads records on standard input, writes the ones that stay to standard output, unchanged to the byte, each as soon
as it was read. A record belongs to a task by its `task`; the task's difficulty is what its task.json says (in a
`files` record), else what the plan said. Records of a task without a known difficulty stay, and so does every
line that is no record: the next stage reports it.
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
            if difficulty(line, planned) in dropped:
                count += 1
                continue
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Nobody reads any more. Keep Python from complaining again when it closes standard output.
        sys.stdout = None
        return 0
    print(f"drop_by_difficulty: {count} records dropped", file=sys.stderr)
    return 0


def difficulty(line, planned):
    """The difficulty of the task that a record is about, or None. Remembers in `planned` what plans say."""
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
    """What the task.json inside a `files` record says."""
    try:
        return json.loads(record["files"]["task.json"]).get("difficulty")
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
