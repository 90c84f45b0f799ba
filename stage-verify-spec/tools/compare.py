#!/usr/bin/env python3
"""Compares the verdicts of stage-verify-spec with those of gym-anything, spec by spec.

    compare.py --python PYTHON [--ours stage-verify-spec] [--cwd DIR] [--keep DIR] ROOT...

PYTHON has gym-anything installed; it runs the original, and both look up installed modules in it. A ROOT is a folder
of environments. Both run in DIR, which relative mounts refer to. The script compares the order of the records, and for
each record its kind, whether it is good, and the multiset of its error codes. Where the original ends with a traceback,
the verdict must be bad. Exits with 1 if they differ.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="+", metavar="ROOT")
    parser.add_argument("--python", required=True)
    parser.add_argument("--ours", default="stage-verify-spec")
    parser.add_argument("--cwd", default=".")
    parser.add_argument("--keep", metavar="DIR", help="cache the verdicts of the original in DIR")
    parser.add_argument("--show", type=int, default=20, help="how many differences to print")
    parser.add_argument("--original", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.original:
        return original(args.roots)
    if os.path.exists(args.ours):
        # Both run in another directory.
        args.ours = os.path.abspath(args.ours)
    total = died = differences = 0
    for root in map(os.path.abspath, args.roots):
        theirs, their_time = kept(root, args)
        command = [args.ours, "--quiet", "--python", args.python, "--skip-lint", "all", "--workspace", "/", root]
        ours, our_time = timed(command, args)
        print(f"{root}: {len(theirs)} records, theirs {their_time:.1f} s, ours {our_time:.2f} s")
        total += len(theirs)
        died += sum(1 for record in theirs if record["died"])
        for line in compare(theirs, ours):
            differences += 1
            if differences <= args.show:
                print(line)
    print(f"{total} records compared, {died} on which the original ends with a traceback, {differences} differences")
    return 1 if differences else 0


def kept(root, args):
    """The verdicts of the original, and the time they took unless they were cached."""
    command = [args.python, os.path.abspath(__file__), "--python", "-", "--original", root]
    if not args.keep:
        return timed(command, args)
    path = os.path.join(args.keep, root.strip("/").replace("/", "-") + ".json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file), float("nan")
    verdicts, took = timed(command, args)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(verdicts, file)
    return verdicts, took


def timed(command, args):
    start = time.monotonic()
    run = subprocess.run(command, cwd=args.cwd, stdout=subprocess.PIPE, check=False)
    if run.returncode not in (0, 1):
        sys.exit(f"{command[0]} ended with {run.returncode}")
    return [json.loads(line) for line in run.stdout.splitlines()], time.monotonic() - start


def compare(theirs, ours):
    ours_by_path = {"/" + record["path"].lstrip("/"): record for record in ours}
    order = ["/" + record["path"].lstrip("/") for record in ours]
    for record in theirs:
        path = record["path"]
        mine = ours_by_path.pop(path, None)
        if mine is None:
            yield f"missing from ours: {path}"
            continue
        codes = sorted(issue["code"] for issue in mine["issues"] if issue["severity"] == "error")
        if record["died"]:
            same = not mine["ok"]
        else:
            same = (mine["kind"], mine["ok"], codes) == (record["kind"], record["ok"], record["codes"])
        if not same:
            messages = " | ".join(issue["message"] for issue in mine["issues"])
            yield f"{path}\n  theirs {record['codes']} {record['messages']}\n  ours   {codes} {messages}"
    for path in ours_by_path:
        yield f"only in ours: {path}"
    if order != [record["path"] for record in theirs]:
        yield "the order of the records differs"


class Hangs(BaseException):
    """The original does not return. A BaseException, so that its own handlers do not catch it."""


def original(roots):
    """Writes gym-anything's verdicts, one per line, and continues where it would end."""
    from gym_anything.verification import specs
    from gym_anything.verification.reports import VerificationRecord

    def hang(signum, frame):
        raise Hangs

    signal.signal(signal.SIGALRM, hang)

    def verify(check, kind, path, **more):
        signal.alarm(60)
        try:
            return check(path, **more), None
        except (Exception, SystemExit, Hangs) as error:
            return VerificationRecord(kind=kind, path=str(path)), error
        finally:
            signal.alarm(0)

    def say(record, error):
        codes = sorted(issue.code for issue in record.issues)
        messages = [issue.message for issue in record.issues]
        died = error is not None
        line = {
            "kind": record.kind,
            "path": record.path,
            "ok": record.ok and not died,
            "codes": codes,
            "messages": messages + ([repr(error)] if died else []),
            "died": died,
        }
        print(json.dumps(line))

    for root in roots:
        for folder in specs._iter_environment_dirs(specs.Path(root)):
            spec_path = specs.find_env_spec_path(folder)
            say(*verify(specs.verify_env_spec_path, "env", spec_path))
            try:
                environment = specs._load_env_spec(spec_path)
            except Exception:
                environment = None
            for path in specs.find_task_spec_paths(folder):
                say(*verify(specs.verify_task_spec_path, "task", path, env_root=folder, env_spec=environment))
    return 0


if __name__ == "__main__":
    sys.exit(main())
