#!/usr/bin/env python3
"""Tests stage-verify-task on real containers with the demo's tasks, in GnuCash 4 and 5:

    run.py PROGRAMS [sound] [faults] [engine]

PROGRAMS is the folder of the stages' programs. `sound` runs all 18 tasks on both versions, twice on the first: nothing
done scores 0, the solution 100, and every wrong solution fails; none has an issue, and both runs give the same records
but for times. `faults` seeds a fault into each task: each is found.
`engine` interrupts and kills the stage, and looks for what is left. Uses the engine that answers, or starts
dockerd in a temporary folder. Needs a network to install GnuCash; tasks run without.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import faults

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parents[2] / "examples/demo"
ENV = "benchmarks/cua_world/environments/gnucash_env"
SOLVED = "enter_penobscot_bill"
REPLAY = f"replay:{DEMO}/answers.jsonl"


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def engine():
    """The engine that answers, or one that is started for this test."""
    answers = ["docker", "version", "--format", "{{.Server.Version}}"]
    if shutil.which("docker") and subprocess.run(answers, capture_output=True).returncode == 0:
        yield os.environ.get("NETWORK", "bridge")
        return
    if not shutil.which("dockerd") or os.getuid() != 0:
        raise SystemExit("no container engine answers, and dockerd cannot be started; install docker.io, or set DOCKER_HOST")
    with tempfile.TemporaryDirectory(prefix="test-live-") as folder:
        os.environ["DOCKER_HOST"] = f"unix://{folder}/socket"
        log = open(f"{folder}/log", "w")
        options = ["--iptables=false", "--ip6tables=false", "--bridge=none", f"--data-root={folder}/data",
                   f"--exec-root={folder}/exec", f"--pidfile={folder}/pid", f"--host=unix://{folder}/socket"]
        daemon = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while subprocess.run(answers, capture_output=True).returncode != 0:
                if daemon.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("dockerd does not start:\n" + pathlib.Path(f"{folder}/log").read_text()[-2000:])
                time.sleep(0.2)
            # Without a bridge, the network of the machine is the only one.
            yield "host"
        finally:
            daemon.terminate()
            daemon.wait()


class Workspace:
    """A copy of the demo with all 18 tasks and their solutions."""

    def __init__(self, programs, folder, network):
        self.programs, self.root, self.network = programs, pathlib.Path(folder), network
        shutil.copytree(DEMO / "benchmarks", self.root / "benchmarks")
        amplify = ["stage-amplify", "--software", "GnuCash", "--model", REPLAY]
        seeds = self.stage("stage-propose", "--software", "GnuCash", "--agent", "existing", "--seed-count", "4")
        files = self.stage(*amplify, "--count", "14", records=seeds)
        tasks = self.stage("stage-extract", records=files)
        self.stage(*amplify, "--pass", "solution", records=seeds + tasks)
        self.tasks = sorted(path.parent.name for path in (self.root / ENV / "tasks").glob("*/task.json"))

    def stage(self, program, *options, records=b""):
        """The records that a stage of the chain makes of these."""
        where = ["--workspace", self.root, "--run-dir", self.root / "run", "--env-dir", "gnucash_env", "-q"]
        command = [self.programs / program, *where, *options]
        return subprocess.run(command, input=records, stdout=subprocess.PIPE, check=True).stdout

    def command(self, image, *options):
        return [self.programs / "stage-verify-task", "--workspace", self.root, "--run-dir", self.root / "run",
                "--base-image", image, "--network", self.network, *options, self.root / ENV]

    def run(self, image, *options):
        """The trials by task, and the seconds that they took."""
        started = time.monotonic()
        ran = subprocess.run(self.command(image, *options), stdout=subprocess.PIPE)
        records = [json.loads(line) for line in ran.stdout.splitlines()]
        trials = {record["task"]: record for record in records if record["record"] == "trial"}
        check(set(trials) == set(self.tasks) or "--task" in options, f"records: {records}")
        return trials, time.monotonic() - started


def check(holds, message):
    if not holds:
        raise SystemExit(f"FAILED: {message}")


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in ("seconds", "peak_memory_mib")}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def outcomes(trial):
    return {episode["name"]: (episode["verdict"]["outcome"], episode["verdict"]["score"]) for episode in trial["episodes"]}


def sound(workspace, images):
    first = None
    for image in [images[0], *images]:
        trials, seconds = workspace.run(image)
        for task, trial in trials.items():
            check(trial["ok"] and not trial["issues"], f"{task}: {trial.get('not_run')} {trial['issues']}")
            found = outcomes(trial)
            check(found["untouched"] == found["untouched_again"] == ("fail", 0.0), f"{task}: {found}")
            check(found["solution"] == found["restart"] == ("pass", 100.0), f"{task}: {found}")
            wrong = [outcome for name, (outcome, _) in found.items() if name.startswith("wrong:")]
            check(wrong and set(wrong) == {"fail"}, f"{task}: {found}")
        episodes = sum(len(trial["episodes"]) for trial in trials.values())
        version = trials[SOLVED]["app_version"]
        print(f"ok: {len(trials)} tasks in {version}: {episodes} episodes in {seconds:.0f} s", flush=True)
        if image == images[0]:
            check(first in (None, without_times(trials)), "two runs give different records")
            first = without_times(trials)


def seeded(workspace, image):
    for task, (_, changes, _) in zip(workspace.tasks, faults.FAULTS):
        faults.seed(workspace.root / ENV / "tasks" / task, changes)
    trials, _ = workspace.run(image)
    missed = []
    for task, (name, _, code) in zip(workspace.tasks, faults.FAULTS):
        codes = [issue["code"] for issue in trials[task]["issues"]]
        print(f"{'found ' if code in codes else 'MISSED'} {code:<22} {name} ({task}): {', '.join(codes)}", flush=True)
        if code not in codes:
            missed.append((name, code, trials[task]["issues"]))
    check(not missed, f"missed: {json.dumps(missed, indent=1)}")
    print(f"ok: {len(faults.FAULTS)} faults, all found")


def interrupted(workspace, image):
    for name, signals in (("Ctrl-C", [signal.SIGINT]), ("Ctrl-C twice", [signal.SIGINT, signal.SIGINT]), ("kill -9", [signal.SIGKILL])):
        process = subprocess.Popen(workspace.command(image, "--once"), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not containers():
            check(time.monotonic() < deadline, "no container was started")
            time.sleep(0.2)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.5)
        status = process.wait(timeout=120)
        check(status in (130, -9), f"{name}: status {status}")
        deadline = time.monotonic() + 30
        while containers():
            check(time.monotonic() < deadline, f"{name}: containers are left: {containers()}")
            time.sleep(0.2)
        print(f"ok: {name} leaves no container", flush=True)
    trials, _ = workspace.run(image, "--once", "--task", SOLVED)
    check(trials[SOLVED]["ok"], f"after the interrupts: {trials}")
    print("ok: the same command goes on")


def containers():
    return docker("ps", "--all", "--quiet", "--filter", "label=propose-amplify=verify-task").split()


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    parts = sys.argv[2:] or ["sound", "faults", "engine"]
    with engine() as network, tempfile.TemporaryDirectory(prefix="test-live-") as folder:
        images = []
        for release in ("bookworm", "trixie"):
            images.append(f"verify-task-desktop:{release}")
            subprocess.run([DEMO / "desktop_image.sh", release, images[-1]], check=True)
        workspace = Workspace(programs, folder, network)
        if "sound" in parts:
            sound(workspace, images)
        if "engine" in parts:
            interrupted(workspace, images[0])
        if "faults" in parts:
            seeded(workspace, images[0])
        check(not containers(), f"containers are left: {containers()}")


main()
