"""Measures what the processes of a fleet need: runs stage-amplify for 1, 20 and 249 environments, 32 at a time, against a model
server on the loopback interface without a rate limit, with faults.

Usage: scale.py PROGRAMS [--environments N…] [--tasks N] [--jobs N] [--workers N]   (`make bench-fleet`)

The programs are the real ones: a process for each environment, one ledger, a journal that is synced for each answer. An
answer takes 60 milliseconds instead of a minute, so that the machine is the limit: it says how many answers a second
this machine can take. Memory and open files are the most that any process had.
"""

import argparse
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = REPOSITORY / "examples/demo/benchmarks/cua_world/environments/gnucash_env"
ENVIRONMENTS = Path("benchmarks/cua_world/environments")
MODEL = "gemini-loopback"
# Seconds until the first and the last piece of an answer.
FIRST, LAST = 0.015, 0.06
# US dollars per million tokens.
PRICE = {"input": 1.0, "output": 10.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path, help="the folder of the programs")
    parser.add_argument("--environments", type=int, nargs="+", default=[1, 20, 249])
    parser.add_argument("--tasks", type=int, default=75, help="of each environment")
    parser.add_argument("--jobs", type=int, default=32, help="the runs at a time")
    parser.add_argument("--workers", type=int, default=8, help="the calls of a run at a time")
    args = parser.parse_args()
    args.programs = args.programs.resolve()
    print("| environments | tasks | calls | seconds | answers a second | memory, open files of a run | of the ledger | cost |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for number in args.environments:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            print(measure(args, number, Path(folder).resolve()), flush=True)


def measure(args, number, folder):
    names = [f"env_{n:05}" for n in range(number)]
    for name in names:
        shutil.copytree(DEMO, folder / ENVIRONMENTS / name)
    server = [args.programs / "loopback-model", "--author", "--faults", "--bill", folder / "bill.jsonl"]
    server = start([*server, "--first", FIRST, "--last", LAST], stdout=subprocess.PIPE, text=True)
    ledger = start([args.programs / "fleet-ledger", "serve", folder / "ledger", "--quiet", "--max-cost", "100000"])
    watch = Watch(ledger.pid)
    try:
        url = server.stdout.readline().strip()
        while not (folder / "ledger" / "ledger.json").exists():
            time.sleep(0.01)
        began = time.monotonic()
        run_all(args, folder, names, url, watch)
        seconds = time.monotonic() - began
    finally:
        watch.stop()
        for process in (server, ledger):
            process.kill()
            process.wait()
    return row(args, folder, names, seconds, watch)


def run_all(args, folder, names, url, watch):
    prices = folder / "prices.json"
    model = {"name": MODEL, "dated": "2026-11-27", "source": "this script", "max_output_tokens": 8192, "price": {"base": PRICE}}
    prices.write_text(json.dumps({"providers": {}, "models": [model]}))
    environment = os.environ | {
        "GEMINI_BASE_URL": url, "GEMINI_API_KEY": "key", "PROPOSE_AMPLIFY_LEDGER": str(folder / "ledger/ledger.json"),
    }
    waiting, failed = queue.SimpleQueue(), []
    for name in names:
        waiting.put(name)

    def work():
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            command = [args.programs / "stage-amplify", "--workspace", folder, "--env-dir", name, "--env-seeds", "--quiet"]
            command += ["--software", "GnuCash", "--model", MODEL, "--prices", prices, "--pass", "plan,readme,files"]
            command += ["--count", args.tasks, "--num-workers", args.workers, "--warm-up-sec", 0, "--idle-timeout-sec", 2]
            run = start(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            watch.add(run.pid)
            if run.wait() != 0:
                failed.append(name)

    workers = [threading.Thread(target=work) for _ in range(args.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise SystemExit(f"{len(failed)} runs failed, such as {failed[0]}")


def start(command, **options):
    return subprocess.Popen(list(map(str, command)), **options)


class Watch:
    """The most memory and open files of the runs, and of the ledger."""

    def __init__(self, ledger):
        self.ledger, self.runs = ledger, set()
        self.most = {"run": [0, 0], "ledger": [0, 0]}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def add(self, pid):
        self.runs.add(pid)

    def stop(self):
        self.ended.set()
        self.thread.join()

    def watch(self):
        while not self.ended.wait(0.25):
            self.look("ledger", self.ledger)
            for pid in list(self.runs):
                if not self.look("run", pid):
                    self.runs.discard(pid)

    def look(self, kind, pid):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            files = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return False
        lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        memory = int(lines[0].split()[1]) // 1024 if lines else 0
        self.most[kind] = [max(pair) for pair in zip(self.most[kind], (memory, files))]
        return bool(lines)

    def of(self, kind):
        memory, files = self.most[kind]
        return f"{memory} MB, {files}"


def row(args, folder, names, seconds, watch):
    calls = len((folder / "bill.jsonl").read_text().splitlines())
    answers, dollars, tasks = 0, 0.0, 0
    for name in names:
        run_dir = folder / "task_generation_runs" / name
        with open(run_dir / "answers.jsonl") as journal:
            costs = [json.loads(line)["cost"] for line in journal]
        answers, dollars = answers + len(costs), dollars + sum(costs)
        tasks += sum('"record":"files"' in line for line in open(run_dir / "files.jsonl"))
    if tasks != len(names) * args.tasks:
        raise SystemExit(f"{tasks} of {len(names) * args.tasks} tasks were written")
    cells = [len(names), tasks, calls, f"{seconds:.0f}", f"{answers / seconds:.0f}"]
    cells += [watch.of("run"), watch.of("ledger"), f"${dollars:.2f}"]
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
