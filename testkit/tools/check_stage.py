#!/usr/bin/env python3
"""Tells the author of a custom stage which parts of the contract it breaks.

    check_stage.py 'COMMAND' [MANIFEST]

COMMAND is run by bash, as make does, and stands for itself in a chain. MANIFEST holds records that it works on; the
default is a record of each kind of the contract. Prints a line for each part of the contract, and exits with status 1
if the stage breaks one of them.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time

# How long the stage may take for one answer, in seconds.
PATIENCE = float(os.environ.get("PATIENCE", "10"))

# The exit statuses after input without a record that the stage works on, which it may refuse.
UNSUITED = [0, 1, 2]

UNKNOWN = b'{"record":"of_nobody",  "x": 1.50, "env":"demo_env"}\n'
BAD_LINES = [b"not json\n", b'["no object"]\n', b'{"no":"record"}\n', b'{"record":"task"\n', b"\xff\xfe\n"]

RECORDS = [
    {"record": "plan", "env": "demo_env", "task": "make_a_note", "index": 1, "difficulty": "hard"},
    {"record": "files", "env": "demo_env", "task": "make_a_note", "index": 1, "files": {"task.json": "{}"}},
    {"record": "task", "env": "demo_env", "task": "make_a_note", "dir": "x/tasks/make_a_note", "status": "written"},
    {"record": "verdict", "env": "demo_env", "task": "make_a_note", "kind": "task", "path": "x", "ok": True},
    {"record": "failure", "env": "demo_env", "stage": "amplify", "code": "unusable_answers", "message": "none"},
]


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    stage = Stage(sys.argv[1])
    records = b"".join(json.dumps(record).encode() + b"\n" for record in RECORDS)
    if len(sys.argv) == 3:
        with open(sys.argv[2], "rb") as file:
            records = file.read()
    checks = [
        ("unknown records pass through, byte for byte and in order", lambda: passes_unknown(stage)),
        ("standard output carries complete records only", lambda: writes_records(stage, records)),
        ("bad lines do not stop the rest", lambda: survives_bad_lines(stage)),
        ("bad lines are reported by exit status 1, or passed on to the next stage", lambda: reports_bad_lines(stage)),
        ("records are worked on as they arrive", lambda: streams(stage)),
        ("a closed pipe ends it quietly", lambda: ends_quietly(stage)),
        ("empty input ends it without a crash", lambda: takes_nothing(stage)),
        ("annotations are kept", lambda: keeps_annotations(stage)),
    ]
    broken = 0
    for name, check in checks:
        problem = check()
        broken += problem is not None
        print(f"{'ok    ' if problem is None else 'BROKEN'} {name}{'' if problem is None else ': ' + problem}")
    return 1 if broken else 0


class Stage:
    """The command under test."""

    def __init__(self, command):
        self.command = command

    def start(self):
        pipe = subprocess.PIPE
        arguments = ["bash", "-o", "pipefail", "-c", self.command]
        return subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)

    def run(self, data):
        """The output, the messages and the exit status; the status is None if the stage does not end."""
        process = self.start()
        try:
            out, messages = process.communicate(data, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, messages = process.communicate()
            return out, messages, None
        return out, messages, process.returncode


def status_problem(status, messages, allowed):
    """What is wrong with an exit status, if anything."""
    if status is None:
        return f"it does not end within {PATIENCE:g} s of the end of its input"
    if status in allowed:
        return None
    last = messages.decode(errors="replace").strip().splitlines()[-1:]
    return f"exit status {status}" + (f" ({last[0]})" if last else "")


def passes_unknown(stage):
    lines = [UNKNOWN.replace(b"1.50", str(number).encode() + b".50") for number in range(1, 21)]
    out, messages, status = stage.run(b"".join(lines))
    problem = status_problem(status, messages, UNSUITED)
    if problem:
        return problem
    found = [line for line in out.splitlines(keepends=True) if b"of_nobody" in line]
    if len(found) != len(lines):
        return f"of {len(lines)} records, {len(found)} came out"
    if found != lines and sorted(found) == sorted(lines):
        return "they came out in another order"
    changed = next((pair for pair in zip(lines, found) if pair[0] != pair[1]), None)
    return changed and f"{changed[0]!r} became {changed[1]!r}"


def writes_records(stage, records):
    out, messages, status = stage.run(records)
    problem = status_problem(status, messages, [0, 1, 3])
    if problem:
        return problem
    if out and not out.endswith(b"\n"):
        return f"the last line has no end: {out.splitlines()[-1]!r}"
    for line in out.splitlines():
        if not is_record(line):
            return f"{line[:80]!r} is not a record"
    return None


def is_record(line):
    try:
        return isinstance(json.loads(line)["record"], str)
    except (ValueError, KeyError, TypeError):
        return False


def survives_bad_lines(stage):
    out, messages, status = stage.run(b"".join(BAD_LINES) + UNKNOWN)
    if UNKNOWN in out:
        return status_problem(status, messages, UNSUITED)
    return status_problem(status, messages, UNSUITED) or "the record after them did not come out"


def reports_bad_lines(stage):
    out, messages, status = stage.run(BAD_LINES[0] + UNKNOWN)
    if status == 0 and BAD_LINES[0] not in out:
        return "it dropped the line and ended with exit status 0"
    return status_problem(status, messages, UNSUITED)


def streams(stage):
    process = stage.start()
    try:
        process.stdin.write(UNKNOWN)
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        if ready and not os.read(process.stdout.fileno(), 1):
            return "it ended, or closed its output, while its input was open"
        return None if ready else f"nothing came out within {PATIENCE:g} s while its input was open; flush each line"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ends_quietly(stage):
    process = stage.start()
    process.stdout.close()
    process.stdout = None
    deadline = time.monotonic() + PATIENCE
    try:
        while process.poll() is None and time.monotonic() < deadline:
            process.stdin.write(UNKNOWN * 100)
            process.stdin.flush()
    except BrokenPipeError:
        pass
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass
    process.stdin = None
    try:
        _, messages = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "it went on after its reader was gone"
    if process.returncode == 2 or b"Traceback" in messages or b"panicked" in messages:
        return status_problem(process.returncode, messages, [])
    return None


def takes_nothing(stage):
    out, messages, status = stage.run(b"")
    if b"Traceback" in messages or b"panicked" in messages:
        return status_problem(status, messages, [])
    return status_problem(status, messages, UNSUITED)


def keeps_annotations(stage):
    records = [dict(record, annotations={"checked": "yes"}) for record in RECORDS]
    out, _, _ = stage.run(b"".join(json.dumps(record).encode() + b"\n" for record in records))
    for record in (json.loads(line) for line in out.splitlines() if is_record(line)):
        # A record of no task may sum up many.
        if record.get("task") and "checked" not in (record.get("annotations") or {}):
            return f"a `{record['record']}` record has lost them"
    return None


if __name__ == "__main__":
    sys.exit(main())
