"""Tests the fleet: environments of gym-anything, against a model server on the loopback interface with one rate limit,
5 % faults and calls that hang.

Usage: run.py PROGRAMS GYM_ANYTHING [PART…]   parts: fair local slurm kubernetes (default: all)

fair: eight runs that want very different numbers of calls share the rate limit.
local, slurm: twenty environments with twelve tasks each. On the way, the workflow is killed once, and with SLURM slurmd
too.
kubernetes: the same by the profile for Kubernetes, with a kubectl that starts processes of this machine.

Everything is in a temporary folder. The checkout of gym-anything is only read. Exit status: 0 all parts passed, 1 one
failed, 77 nothing could be tested.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLEET = HERE.parent
REPOSITORY = FLEET.parent
sys.path[:0] = [str(HERE), str(FLEET)]
import slurm
import table

COUNT = 12
ENVIRONMENTS = 20
# Calls per second that the server accepts.
PER_SECOND = float(os.environ.get("PER_SECOND", "8"))
MODEL = "gemini-loopback"
# US dollars per million tokens.
INPUT, OUTPUT = 1.0, 10.0
# Too little for all tasks, so that the budget stops the first run; and more than enough.
SMALL_BUDGET, BUDGET = 6.0, 400.0
PATIENCE_SECONDS = 1800


class Failed(Exception):
    """A part failed."""


class World:
    """A workspace with environments, and a model server with a rate limit."""

    def __init__(self, folder, programs, gym, environments):
        self.folder, self.programs = folder, programs
        self.workspace = folder / "workspace"
        self.runs = self.workspace / "task_generation_runs"
        self.bill = folder / "bill.jsonl"
        self.names = self.copy(gym, environments)
        self.prices = self.write_prices()
        self.server = subprocess.Popen(
            [programs / "loopback-model", "--author", "--faults", "--per-second", str(PER_SECOND), "--bill", self.bill]
            + ["--first", "0.2", "--last", "1"],
            stdout=subprocess.PIPE, text=True,
        )
        self.url = self.server.stdout.readline().strip()

    def copy(self, gym, environments):
        source = gym / table.ENVIRONMENTS
        fit = [path for path in sorted(source.iterdir()) if is_fit(path)]
        step = len(fit) // environments
        chosen = fit[::step][:environments]
        for path in chosen:
            shutil.copytree(path, self.workspace / table.ENVIRONMENTS / path.name, symlinks=True)
        return [path.name for path in chosen]

    def write_prices(self):
        prices = self.folder / "prices.json"
        price = {"base": {"input": INPUT, "output": OUTPUT}}
        model = {"name": MODEL, "dated": "2026-11-26", "source": "this test", "max_output_tokens": 8192, "price": price}
        prices.write_text(json.dumps({"providers": {}, "models": [model]}))
        return prices

    def stop(self):
        self.server.kill()
        self.server.wait()

    def calls(self):
        if not self.bill.exists():
            return []
        return [json.loads(line) for line in self.bill.read_text().splitlines() if line.endswith("}")]


class Fleet(World):
    """A world, and the workflow."""

    def __init__(self, folder, programs, gym, profile, variables):
        super().__init__(folder, programs, gym, ENVIRONMENTS)
        self.profile, self.variables = profile, variables
        self.envs = self.write_table()
        self.workflow = None

    def write_table(self):
        amplify = f"--prices {self.prices} --idle-timeout-sec 5 --warm-up-sec 0"
        columns = {
            "software": "Software", "count": COUNT, "model": MODEL, "agent": "existing", "workers": 4,
            "amplify_args": amplify, "verify_args": "--python none", "probe_args": "--mutants 0 --repeat 1",
            "task_args": "--engine no-such-engine",
        }
        rows = ["\t".join(["env", *columns])]
        rows += ["\t".join([name, *map(str, columns.values())]) for name in self.names]
        envs = self.folder / "envs.tsv"
        envs.write_text("\n".join(rows) + "\n")
        return envs

    def start(self, budget):
        command = [sys.executable, FLEET / "run.py", self.envs, "--workspace", self.workspace, "--bin", self.programs]
        command += ["--profile", self.profile, "--budget", str(budget)]
        if self.profile == "slurm":
            # Without accounting, sacct has nothing to show.
            command += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5", "--seconds-between-status-checks", "5"]
        environment = os.environ | self.variables | {"GEMINI_BASE_URL": self.url, "GEMINI_API_KEY": "key"}
        log = open(self.folder / "workflow.log", "ab")
        self.workflow = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def wait(self):
        try:
            return self.workflow.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"the workflow takes more than {PATIENCE_SECONDS} s\n{self.log()}") from error

    def kill(self):
        """Kills the workflow, and nothing that it started."""
        group = [self.workflow.pid, *children(self.workflow.pid, "snakemake")]
        for pid in group:
            os.kill(pid, signal.SIGKILL)
        self.workflow.wait()

    def wait_for_answers(self, number):
        end = time.monotonic() + PATIENCE_SECONDS
        while len(self.whole()) < number:
            if self.workflow.poll() is not None or time.monotonic() > end:
                raise Failed(f"the workflow ended with {self.workflow.returncode} before {number} answers\n{self.log()}")
            time.sleep(0.5)

    def stop(self):
        if self.workflow and self.workflow.poll() is None:
            self.kill()
        super().stop()

    def log(self):
        return (self.folder / "workflow.log").read_text(errors="replace")[-6000:]

    def whole(self):
        return [call for call in self.calls() if call["outcome"] == "answer" and call["whole"]]

    def billed(self):
        """What the server charges for everything that it began to send, in US dollars."""
        return sum(call["input"] * INPUT + call["output"] * OUTPUT for call in self.calls()) / 1e6

    def journals(self):
        paths = [self.runs / name / "answers.jsonl" for name in self.names]
        return [json.loads(line) for path in paths if path.exists() for line in path.read_text().splitlines()]

    def status(self):
        command = [sys.executable, FLEET / "status.py", self.envs, "--workspace", self.workspace, "--bin", self.programs]
        return subprocess.run(command, capture_output=True, text=True).stdout


def is_fit(path):
    return (path / "env.json").is_file() and len(list((path / "tasks").glob("*/task.json"))) >= 3


def children(pid, word):
    """The processes below `pid` whose command line has `word`."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if word.encode() in command:
            found += [int(child), *children(int(child), word)]
    return found


def check(is_true, message):
    if not is_true:
        raise Failed(message)
    print(f"    {message}", flush=True)


def run_part(fleet, kill_daemon):
    """A run that the budget stops, one that is killed, and one that finishes."""
    start = time.monotonic()
    fleet.start(SMALL_BUDGET)
    status = fleet.wait()
    check(status != 0, f"the budget of ${SMALL_BUDGET:.2f} stopped the first run (status {status})")
    check(fleet.billed() <= SMALL_BUDGET, f"${fleet.billed():.4f} billed by the server")
    first = len(fleet.calls())

    fleet.start(BUDGET)
    already = len(fleet.whole())
    fleet.wait_for_answers(already + 150)
    if kill_daemon:
        kill_daemon()
    fleet.wait_for_answers(already + 300)
    print(fleet.status(), flush=True)
    fleet.kill()
    print("    killed the workflow", flush=True)
    time.sleep(3)
    fleet.start(BUDGET)
    status = fleet.wait()
    print(f"    three runs took {time.monotonic() - start:.0f} s", flush=True)
    verify(fleet, status, first)


def verify(fleet, status, first):
    print(fleet.status(), flush=True)
    check(status == 0, f"the last run ended with {status}" + ("" if status == 0 else f"\n{fleet.log()}"))
    missing = {}
    for name in fleet.names:
        tasks = [json.loads(line) for line in (fleet.runs / name / "tasks.jsonl").read_text().splitlines()]
        written = sum(task.get("status") in ("written", "kept", "replaced") for task in tasks)
        if written != COUNT:
            missing[name] = written
    check(not missing, f"{len(fleet.names) - len(missing)} of {len(fleet.names)} environments have all tasks {missing or ''}")
    calls, whole, journals = fleet.calls(), fleet.whole(), fleet.journals()
    print(f"    calls: {dict(Counter(call['outcome'] for call in calls))}", flush=True)
    requests = Counter(answer["request"] for answer in journals)
    check(max(requests.values()) == 1, "no request is in a journal twice")
    check(len(whole) == len(journals), f"{len(whole)} whole answers sent, {len(journals)} in the journals")
    paid = sum(call["input"] * INPUT + call["output"] * OUTPUT for call in whole) / 1e6
    noted = sum(tokens(answer["usage"]) for answer in journals) / 1e6
    check(abs(paid - noted) < 0.005, f"${paid:.4f} billed for them, ${noted:.4f} by the journals")
    check(fleet.billed() <= BUDGET, f"${fleet.billed():.4f} billed in all")
    print_use(calls[first:])


def tokens(usage):
    output = sum(usage.get(name, 0) for name in ("output_visible", "output_reasoning"))
    return usage.get("uncached_input", 0) * INPUT + output * OUTPUT


def print_use(calls):
    """How much of the rate limit is used in the busiest 20 seconds."""
    accepted = sorted(call["came"] for call in calls if call["outcome"] != "rejected")
    seconds = 20.0
    busiest = max(sum(start <= came < start + seconds for came in accepted) for start in accepted)
    print(f"    {busiest / seconds / PER_SECOND:.0%} of the limit used in the busiest {seconds:.0f} s", flush=True)


# The workers and the tasks of each run that shares the rate limit: two that want far more than their share, and six.
SHARING = 2 * [(48, 80)] + 6 * [(8, 24)]


def run_fair(folder, programs, gym):
    """Eight runs without a workflow, each with its own key."""
    world = World(folder, programs, gym, len(SHARING))
    ledger = subprocess.Popen([programs / "fleet-ledger", "serve", folder / "ledger", "--quiet"])
    runs = []
    try:
        await_file(folder / "ledger" / "ledger.json")
        for name, (workers, count) in zip(world.names, SHARING):
            runs.append(start_amplify(world, name, workers, count))
        statuses = [run.wait(timeout=PATIENCE_SECONDS) for run in runs]
    finally:
        for process in [*runs, ledger]:
            process.kill()
            process.wait()
        world.stop()
    check(statuses == [0] * len(SHARING), f"the runs ended with {statuses}")
    verify_shares(world)


def start_amplify(world, name, workers, count):
    environment = os.environ | {
        "GEMINI_BASE_URL": world.url, "GEMINI_API_KEY": f"key-of-{name}",
        "PROPOSE_AMPLIFY_LEDGER": str(world.folder / "ledger" / "ledger.json"),
    }
    command = [world.programs / "stage-amplify", "--workspace", world.workspace, "--env-dir", name, "--env-seeds"]
    command += ["--software", "Software", "--model", MODEL, "--prices", world.prices, "--quiet"]
    command += ["--count", count, "--num-workers", workers, "--idle-timeout-sec", 5, "--warm-up-sec", 0]
    return subprocess.Popen(list(map(str, command)), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def verify_shares(world):
    """What each run got while all of them had calls to make: after their plans, and before the first had ended."""
    calls = [call for call in world.calls() if call["outcome"] != "rejected"]
    times = {f"key-of-{name}": [] for name in world.names}
    for call in calls:
        times[call["key"]].append(call["came"])
    start = max(sorted(came)[1] for came in times.values())
    end = min(max(came) for came in times.values())
    shares = [sum(start <= came < end for came in of_run) for of_run in times.values()]
    hung = sum(call["outcome"] == "hang" for call in calls)
    used = sum(shares) / (end - start) / PER_SECOND
    print(f"    {end - start:.0f} s; calls of each run: {shares}; {hung} hung", flush=True)
    check(hung > 0, "some calls hung")
    check(used >= 0.9, f"{used:.0%} of the limit used together")
    least = min(shares) / (sum(shares) / len(shares))
    check(least >= 0.5, f"the run with the fewest calls has {least:.0%} of its fair share")


def await_file(path):
    end = time.monotonic() + 30
    while not path.exists():
        if time.monotonic() > end:
            raise Failed(f"{path.name} does not appear")
        time.sleep(0.05)


def run_kubernetes(folder, programs, gym):
    for name in ("bin", "jobs"):
        (folder / name).mkdir()
    (folder / "bin" / "kubectl").symlink_to(HERE / "kubectl")
    variables = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "KUBECTL_DIR": str(folder / "jobs")}
    fleet = Fleet(folder, programs, gym, "kubernetes", variables)
    try:
        run_part(fleet, None)
    finally:
        fleet.stop()


def part(name, programs, gym, folder):
    if name == "fair":
        run_fair(folder, programs, gym)
        return
    if name == "local":
        fleet = Fleet(folder, programs, gym, "local", {})
        try:
            run_part(fleet, None)
        finally:
            fleet.stop()
        return
    if name == "kubernetes":
        return run_kubernetes(folder, programs, gym)
    with slurm.Slurm(folder / "slurm") as cluster:
        fleet = Fleet(folder, programs, gym, "slurm", cluster.environment)

        def kill_daemon():
            cluster.kill("slurmd", signal.SIGKILL)
            time.sleep(2)
            cluster.start_slurmd()
            print("    killed slurmd and started it again", flush=True)

        try:
            run_part(fleet, kill_daemon)
        finally:
            fleet.stop()


def main():
    programs, gym = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    if not (gym / table.ENVIRONMENTS).is_dir():
        sys.exit("test-fleet: pass a checkout of gym-anything: make test-fleet GYM_ANYTHING=path")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = Counter()
    for name in sys.argv[3:] or ["fair", "local", "slurm", "kubernetes"]:
        print(f"{name}:", flush=True)
        with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
            try:
                part(name, programs, gym, Path(folder).resolve())
                results["passed"] += 1
            except slurm.NoSlurm as error:
                print(f"    skipped: {error}")
                results["skipped"] += 1
            except Failed as error:
                print(f"    FAILED: {error}")
                results["failed"] += 1
    print(f"{results['passed']} parts passed, {results['failed']} failed, {results['skipped']} skipped")
    sys.exit(1 if results["failed"] else 0 if results["passed"] else 77)


if __name__ == "__main__":
    main()
