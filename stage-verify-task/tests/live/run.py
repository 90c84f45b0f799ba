#!/usr/bin/env python3
"""Tests stage-verify-task on real containers with the demo's tasks, in GnuCash 4 and 5:

    run.py PROGRAMS [sound] [web] [faults] [engine] [daemon] [gym] [beside]

PROGRAMS is the folder of the stages' programs. `sound` runs all 18 tasks on both versions, twice: nothing done scores 0,
the solution 100, and every wrong solution fails; none has an issue, and both runs give the same records but for times.
`web` does the same once with the three tasks of a wiki in Firefox. `faults` seeds 42 faults into tasks, helpers and
solutions: each is found. `engine` interrupts and kills the stage, and runs tasks that attack their container; `daemon`
stops a dockerd of its own, fills its disk and removes its images: nothing is left, and the same command resumes. `gym`
runs the demo by gym-anything's own runner for docker, if the environment variable GYM_ANYTHING names a checkout; `beside`,
which has to be named, measures its verification of tasks beside this one. Both need PyPI. The program uses the engine that
answers, or starts dockerd in a temporary folder. It needs a network to install GnuCash; tasks run without.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import engines
import faults
import gym
import small
from engines import containers, docker

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parents[2] / "examples/demo"
WIKI = HERE.parents[2] / "examples/wiki"
ENV = "benchmarks/cua_world/environments/gnucash_env"
REPLAY = f"replay:{DEMO}/answers.jsonl"


class Stage:
    """stage-verify-task in a workspace."""

    def __init__(self, programs, root, network, env):
        self.programs, self.root, self.network, self.env = programs, pathlib.Path(root), network, env

    def command(self, image, *options, paths=()):
        return [self.programs / "stage-verify-task", "--workspace", self.root, "--run-dir", self.root / "run",
                "--base-image", image, "--network", self.network, *options, *(paths or [self.env])]

    def run(self, image, *options, paths=()):
        """The records by task, and the seconds that they took. Every line is a record."""
        started = time.monotonic()
        ran = subprocess.run(self.command(image, *options, paths=paths), stdout=subprocess.PIPE)
        return by_task(ran.stdout), time.monotonic() - started


class Demo(Stage):
    """A copy of the demo with all 18 tasks and their solutions."""

    def __init__(self, programs, root, network):
        super().__init__(programs, root, network, pathlib.Path(root) / ENV)
        shutil.copytree(DEMO / "benchmarks", self.root / "benchmarks")
        amplify = ["stage-amplify", "--software", "GnuCash", "--model", REPLAY]
        seeds = self.stage("stage-propose", "--software", "GnuCash", "--agent", "existing", "--seed-count", "4")
        files = self.stage(*amplify, "--count", "14", records=seeds)
        tasks = self.stage("stage-extract", records=files)
        self.stage(*amplify, "--pass", "solution", records=seeds + tasks)
        self.tasks = sorted(path.parent.name for path in self.env.glob("tasks/*/task.json"))
        shutil.copytree(self.env, self.root / "sound")

    def stage(self, program, *options, records=b""):
        """The records that a stage of the chain makes of these."""
        where = ["--workspace", self.root, "--run-dir", self.root / "run", "--env-dir", "gnucash_env", "-q"]
        command = [self.programs / program, *where, *options]
        return subprocess.run(command, input=records, stdout=subprocess.PIPE, check=True).stdout

    def restore(self):
        shutil.rmtree(self.env)
        shutil.copytree(self.root / "sound", self.env)


def by_task(lines):
    records = [json.loads(line) for line in lines.splitlines()]
    return {record["task"]: record for record in records if record["record"] in ("trial", "failure")}


def check(holds, message):
    if not holds:
        raise SystemExit(message)


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in ("seconds", "peak_memory_mib")}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def outcomes(trial):
    return {episode["name"]: (episode["verdict"]["outcome"], episode["verdict"]["score"]) for episode in trial["episodes"]}


def ensure_sound(trials, seconds):
    for task, trial in trials.items():
        check(trial.get("ok") and not trial["issues"], f"{task}: {trial}")
        found = outcomes(trial)
        check(found["untouched"] == found["untouched_again"] == ("fail", 0.0), f"{task}: {found}")
        check(found["solution"] == found["restart"] == ("pass", 100.0), f"{task}: {found}")
        wrong = [outcome for name, (outcome, _) in found.items() if name.startswith("wrong:")]
        check(wrong and set(wrong) == {"fail"}, f"{task}: {found}")
    episodes = sum(len(trial["episodes"]) for trial in trials.values())
    version = next(iter(trials.values()))["app_version"]
    print(f"ok: {len(trials)} tasks in {version}: {episodes} episodes in {seconds:.0f} s", flush=True)


def sound(demo, images):
    for image in images:
        first, second = (sound_run(demo, image) for _ in range(2))
        different = [task for task in first if first[task] != second[task]]
        check(not different, f"two runs give different records: {[(first[task], second[task]) for task in different]}")


def sound_run(demo, image):
    trials, seconds = demo.run(image)
    check(sorted(trials) == demo.tasks, f"records: {trials}")
    ensure_sound(trials, seconds)
    return without_times(trials)


def web(programs, folder, network, image):
    shutil.copytree(WIKI / "benchmarks", folder / "benchmarks")
    env = folder / "benchmarks/cua_world/environments/mediawiki_env"
    trials, seconds = Stage(programs, folder, network, env).run(image, "--solutions", WIKI / "solutions")
    check(len(trials) == 3, f"records: {trials}")
    ensure_sound(trials, seconds)


def seeded(demo, image):
    missed = []
    for number in range(len(faults.ROUNDS)):
        demo.restore()
        solutions = demo.root / f"solutions_{number}"
        solutions.mkdir()
        for name, task, changes, code in faults.ROUNDS[number]:
            faults.seed(demo.env, name, task, changes)
            if code in faults.BY_SOLUTIONS:
                # Wrong ones take time, and tell no more of the other faults.
                wrong = shutil.ignore_patterns(*[] if code == "wrong_solution_passes" else ["wrong-*"])
                shutil.copytree(demo.root / "run/solutions" / task, solutions / task, ignore=wrong)
        paths = [demo.env / "tasks" / task for _, task, *_ in faults.ROUNDS[number]]
        trials, _ = demo.run(image, "--solutions", solutions, paths=paths)
        for name, task, _, code in faults.ROUNDS[number]:
            codes = [issue["code"] for issue in trials[task].get("issues", [])]
            print(f"{'found ' if code in codes else 'MISSED'} {code:<22} {name} ({task}): {', '.join(codes)}", flush=True)
            if code not in codes:
                missed.append((name, code, trials[task]))
    demo.restore()
    check(not missed, f"missed: {json.dumps(missed, indent=1)}")
    print(f"ok: {sum(map(len, faults.ROUNDS))} faults, all found", flush=True)


def solved(stage, image):
    """Faults of solutions: the state is only in memory, the outcome depends on chance."""
    for name, *_, code in small.SOLVED:
        process = subprocess.Popen(stage.command(image, "--once", paths=[stage.env / "tasks" / name]), stdout=subprocess.PIPE)
        answers = stage.root / "run/solutions" / name / "answers"
        answers.mkdir()
        while process.poll() is None:
            # The first container that asks is told no, the others yes.
            for container in containers():
                asks = ["docker", "exec", container, "test", "-e", "/tmp/asks"]
                if not (answers / container).exists() and subprocess.run(asks, capture_output=True).returncode == 0:
                    (answers / container).write_text("yes" if any(answers.iterdir()) else "no")
            time.sleep(0.2)
        trial = by_task(process.communicate()[0])[name]
        codes = [issue["code"] for issue in trial.get("issues", [])]
        check(code in codes, f"{name}: {trial}")
        print(f"found  {code:<22} ({name}): {', '.join(codes)}", flush=True)


def start(stage, image, *options):
    """The stage, once its first container runs."""
    paths = [stage.env / "tasks" / task for task in small.CALM]
    process = subprocess.Popen(stage.command(image, *options, paths=paths), stdout=subprocess.PIPE)
    wait_until(containers, "no container was started")
    return process


def wait_until(holds, message, seconds=120):
    deadline = time.monotonic() + seconds
    while not holds():
        check(time.monotonic() < deadline, message)
        time.sleep(0.2)


def ensure_none_left(name):
    """No container, no mount of one and no process is left."""
    deadline = time.monotonic() + 60
    while left := engines.left():
        check(time.monotonic() < deadline, f"{name}: {left}")
        time.sleep(0.2)


def interrupted(stage, image):
    for name, signals in (("Ctrl-C", [signal.SIGINT]), ("Ctrl-C twice", [signal.SIGINT, signal.SIGINT]), ("kill -9", [signal.SIGKILL])):
        process = start(stage, image, "--once")
        for number in signals:
            process.send_signal(number)
            time.sleep(0.5)
        output, _ = process.communicate(timeout=300)
        by_task(output)
        check(process.returncode in (130, -9), f"{name}: status {process.returncode}")
        ensure_none_left(name)
        print(f"ok: {name} leaves no container", flush=True)
    ensure_resumes(stage, image)


def ensure_resumes(stage, image):
    paths = [stage.env / "tasks" / task for task in small.CALM]
    trials, _ = stage.run(image, "--once", paths=paths)
    bad = {task: record.get("issues") or record.get("not_run") or record.get("message")
           for task, record in trials.items() if not record.get("ok")}
    check(not bad and len(trials) == len(small.CALM), f"the same command afterwards: {bad}")


def hostile(stage, image):
    trial, usual = run_measured(stage, image, small.CALM[0])
    check(trial.get("ok"), trial)
    for name, _, expected in small.HOSTILE:
        if name == "full_disk":
            continue  # Only on the disk of a daemon of the test's own.
        started = time.monotonic()
        trial, peak = run_measured(stage, image, name)
        seconds = time.monotonic() - started
        codes = [issue["code"] for issue in trial.get("issues", [])]
        check(codes and set(codes) <= set(expected), f"{name}: {codes}")
        check(peak < usual + 32, f"{name}: the stage takes {peak} MiB, otherwise {usual}")
        ensure_none_left(name)
        print(f"ok: {name}: {', '.join(codes)} after {seconds:.0f} s and with {peak} MiB; nothing is left", flush=True)
    ensure_resumes(stage, image)


def run_measured(stage, image, task):
    """The record of a task, and the most memory that the stage or a program which it started took, in MiB."""
    process = subprocess.Popen(stage.command(image, "--once", paths=[stage.env / "tasks" / task]), stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return by_task(output)[task], usage.ru_maxrss >> 10


def daemon_faults(stage, image, folder):
    """A daemon of the test's own, whose disk of 2.5 GB is in memory."""
    folder.mkdir()
    archive = folder / "desktop.tar"
    docker("save", "--output", archive, image)
    (folder / "data").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2500m", "tmpfs", folder / "data"], check=True)
    try:
        with engines.Daemon(folder) as daemon:
            docker("load", "--input", archive)
            archive.unlink()
            network, stage.network = stage.network, "host"
            stopped(stage, image, daemon)
            removed(stage, image)
            full(stage, image, folder)
            stage.network = network
    finally:
        engines.unmount(folder)
    check(not engines.mounts(folder), f"mounts are left: {engines.mounts(folder)}")
    print("ok: no mount is left", flush=True)


def stopped(stage, image, daemon):
    ensure_resumes(stage, image)
    for name, number in (("stopped", signal.SIGTERM), ("killed", signal.SIGKILL)):
        process = start(stage, image, "--once")
        daemon.stop(number)
        output, _ = process.communicate(timeout=600)
        records = by_task(output)
        check(process.returncode == 1, f"the daemon is {name}: status {process.returncode}")
        check(not any(record.get("ok") for record in records.values() if record["record"] == "failure"), records)
        daemon.start()
        ensure_none_left(f"the daemon is {name}")
        ensure_resumes(stage, image)
        print(f"ok: the daemon is {name} in mid-run: {len(records)} whole records, no container, and it resumes", flush=True)


def removed(stage, image):
    process = start(stage, image, "--once")
    for tag in docker("images", "--quiet", "--filter", engines.LABEL).split():
        subprocess.run(["docker", "rmi", "--force", tag], capture_output=True)
    by_task(process.communicate(timeout=600)[0])
    ensure_none_left("the image is removed")
    ensure_resumes(stage, image)
    print("ok: the image is removed in mid-run: built again", flush=True)


def full(stage, image, folder):
    trials, _ = stage.run(image, "--once", paths=[stage.env / "tasks/full_disk"])
    found = trials["full_disk"]
    check(found["record"] == "failure" or not found["ok"], f"a task fills the disk: {found}")
    ensure_none_left("a task fills the disk")
    ensure_resumes(stage, image)
    with open(folder / "data/filler", "wb") as filler:
        try:
            while True:
                filler.write(bytes(1 << 20))
                filler.flush()
        except OSError:
            pass
    trials, _ = stage.run(image, "--once", "--rebuild", paths=[stage.env / "tasks" / small.CALM[0]])
    found = trials[small.CALM[0]]
    check(not found.get("ok") and (found.get("not_run") or found.get("message")), f"the disk is full: {found}")
    ensure_none_left("the disk is full")
    (folder / "data/filler").unlink()
    ensure_resumes(stage, image)
    print(f"ok: the disk is full: {found.get('not_run') or found.get('message')}"[:200], flush=True)


def run_by_gym(python, demo, image):
    """The demo by gym-anything's runner: nothing done, and the solutions of two tasks."""
    some = demo.root / "some"
    for task in demo.tasks[:2]:
        shutil.copytree(demo.root / "run/solutions" / task, some / task)
    options = ["--engine", "gym-anything", "--python", python, "--once", "--solutions", some]
    trials, seconds = demo.run(image, *options)
    bad = {task: trial for task, trial in trials.items() if not trial.get("ok")}
    check(sorted(trials) == demo.tasks and not bad, f"by gym-anything: {bad}")
    check(all(outcomes(trial)["untouched"] == ("fail", 0.0) for trial in trials.values()), trials)
    check(all(outcomes(trials[task])["solution"] == ("pass", 100.0) for task in demo.tasks[:2]), trials)
    check({trial["engine"] for trial in trials.values()} == {"gym-anything"}, trials)
    left = docker("ps", "--all", "--filter", "name=ga_gnucash", "--format", "{{.Names}}: {{.Status}}")
    check(not left, f"containers of gym-anything are left: {left}")
    print(f"ok: {len(trials)} tasks by gym-anything's runner in {seconds:.0f} s", flush=True)


def beside(python, demo, image):
    """Seconds for a task of which nothing is done, by gym-anything's own verification and by the stage. The former runs one
    task at a time; the stage does too, and then as many as it does by default."""
    tasks = demo.tasks[:6]
    paths = [demo.env / "tasks" / task for task in tasks]
    options = ["--once", "--solutions", demo.root / "none"]
    demo.run(image, *options, paths=paths[:1])
    alone, ours = (beside_run(demo, image, paths, *options, *jobs) for jobs in (["--jobs", "1"], []))
    print(f"stage-verify-task: {alone:.1f} s a task, one at a time; {ours:.1f} s by default", flush=True)
    for settle in ("15", "0"):
        os.environ["GYM_ANYTHING_POST_TASK_SETTLE_SEC"] = settle
        theirs = gym.verify(python, demo, image, tasks)
        print(f"gym-anything, {settle} s of settling: {theirs:.1f} s a task, "
              f"{theirs / alone:.1f} and {theirs / ours:.1f} times as long", flush=True)


def beside_run(demo, image, paths, *options):
    trials, seconds = demo.run(image, *options, paths=paths)
    check(all(trial.get("ok") for trial in trials.values()), trials)
    return seconds / len(paths)


def live(programs, folder, network, wanted):
    """Runs the parts that are wanted. A part that fails does not keep the others from running."""
    images = []
    for release in ("bookworm", "trixie") if "sound" in wanted else ("bookworm",):
        images.append(f"verify-task-desktop:{release}")
        subprocess.run([DEMO / "desktop_image.sh", release, images[-1]], check=True)
    image = images[0]
    demo = Demo(programs, folder / "demo", network)
    stage = Stage(programs, folder / "small", network, small.write(folder / "small"))
    environment = programs.parent / "gym-anything"
    parts = {
        "sound": lambda: sound(demo, images),
        "web": lambda: web(programs, folder / "wiki", network, image),
        "faults": lambda: (seeded(demo, image), solved(stage, image)),
        "engine": lambda: (interrupted(stage, image), hostile(stage, image)),
        "daemon": lambda: daemon_faults(stage, image, folder / "daemon"),
        "gym": lambda: run_by_gym(gym.python(environment), demo, image),
        "beside": lambda: beside(gym.python(environment), demo, image),
    }
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for part in wanted:
        counts[run_part(part, parts[part])] += 1
    return counts


def run_part(name, part):
    """How a part ended. It is skipped where this machine lacks what it needs."""
    why_skipped = {"daemon": engines.why_no_daemon, "gym": gym.why_none, "beside": gym.why_none}.get(name, str)()
    if why_skipped:
        print(f"skipped: {name}: {why_skipped}", flush=True)
        return "skipped"
    started = time.monotonic()
    try:
        part()
        ensure_none_left(name)
    except (SystemExit, OSError, subprocess.SubprocessError, LookupError, ValueError) as error:
        print(f"FAILED: {name}, after {time.monotonic() - started:.0f} s: {str(error) or repr(error):.3000}", flush=True)
        return "failed"
    print(f"passed: {name}, in {time.monotonic() - started:.0f} s", flush=True)
    return "passed"


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:] or ["sound", "web", "faults", "engine", "daemon", "gym"]
    with engines.engine() as network, tempfile.TemporaryDirectory(prefix="test-live-") as folder:
        counts = live(programs, pathlib.Path(folder), network, wanted)
    print(f"{counts['passed']} parts passed, {counts['failed']} failed, {counts['skipped']} skipped")
    sys.exit(counts["failed"] > 0)


main()
