#!/usr/bin/env python3
"""Times stage-extract, gym-anything's own extractor and a plain copy, on the same answers.

    cargo build --release -p stage-extract --bins --example round_trip
    stage-extract/tools/compare.py CORPUS [--original EXTRACT_TASKS_PY] [--answers 10000] [--scratch DIR]

CORPUS is gym-anything's benchmarks/cua_world/environments. EXTRACT_TASKS_PY is the file extract_tasks.py of its
propose_and_amplify pipeline; without it, only stage-extract is timed.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
BIN = pathlib.Path(__file__).resolve().parents[2] / "target" / "release"


def timed(what, folders, megabytes, run):
    before = os.times()
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    after = os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    print(
        f"{what:40} {seconds:8.2f} s {cpu:8.2f} s CPU {folders / seconds:8.0f} folders/s {megabytes / seconds:7.1f} MB/s",
        flush=True,
    )


def load(path):
    spec = importlib.util.spec_from_file_location("original", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    parser.add_argument("--original")
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--scratch")
    args = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(dir=args.scratch))
    try:
        compare(args, scratch)
    finally:
        shutil.rmtree(scratch)


def compare(args, scratch):
    records = scratch / "files.jsonl"
    written = subprocess.run(
        [BIN / "examples" / "round_trip", args.corpus, "--write", "info"], stdout=subprocess.PIPE, check=True
    ).stdout.splitlines(keepends=True)
    # Tasks of the same name in two environments would share one folder here.
    seen = {}
    for line in written:
        seen.setdefault(json.loads(line)["task"], line)
    lines = list(seen.values())[: args.answers]
    records.write_bytes(b"".join(lines))
    answers = [json.loads(line)["answer"] for line in lines]
    size = sum(len(answer.encode()) for answer in answers) / 1e6
    print(f"{len(answers)} answers, {size:.0f} MB")

    def extract(more):
        command = [BIN / "stage-extract", "-q", "--workspace", scratch, "--tasks-dir", scratch / "ours", "-i", records]
        return lambda: subprocess.run(command + more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    timed("stage-extract --dry-run", len(answers), size, extract(["--dry-run"]))
    timed("stage-extract, synced", len(answers), size, extract([]))
    folders = len(os.listdir(scratch / "ours"))
    timed("cp -r of what it published", folders, size, lambda: subprocess.run(["cp", "-r", scratch / "ours", scratch / "copy"]))
    timed("… and sync", folders, size, os.sync)
    if args.original:
        original = load(args.original)

        def unpack(save):
            for answer in answers:
                name = original.extract_task_name_from_response(answer)
                files = original.extract_files_from_response(answer)
                if name and files:
                    original.validate_task_files(files)
                    if save:
                        original.save_task_files(name, files, str(scratch / "theirs"))

        timed("original, parsing", len(answers), size, lambda: unpack(False))
        timed("original, not synced", len(answers), size, lambda: unpack(True))


if __name__ == "__main__":
    main()
