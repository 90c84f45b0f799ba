"""Runs the chain for every environment of a table: `make fleet` calls it.

Checks the table, starts the ledger that holds the rate limit and the budget of all runs, and lets Snakemake run the
workflow. The same command resumes: what is done is kept, and stages that were not complete are tried again.
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import table

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
# The stages in the order of the chain, and their manifests.
MANIFESTS = {
    "propose": "seeds",
    "amplify": "files",
    "extract": "tasks",
    "verify-spec": "verdicts",
    "probe": "probes",
    "verify-task": "trials",
}
# How long the ledger may take to start, in seconds.
START_SECONDS = 10


def main():
    args = arguments()
    os.chdir(REPOSITORY)
    try:
        environments = table.read(args.envs, args.workspace)
    except table.TableError as error:
        sys.exit(f"fleet: the table cannot be used\n{error}")
    runs = Path(args.workspace, "task_generation_runs").resolve()
    state = runs / ".fleet"
    state.mkdir(parents=True, exist_ok=True)
    lock = open(state / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"fleet: another fleet is running in {runs}; wait for it to end")
    os.set_inheritable(lock.fileno(), False)
    with Ledger(args, state) as ledger:
        status = snakemake(args, state, incomplete(runs, environments), ledger.variables())
    show = [sys.executable, HERE / "status.py", args.envs, "--workspace", args.workspace, "--bin", args.bin]
    subprocess.run(show, check=False)
    sys.exit(status)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("envs", type=Path, help="the table of environments")
    parser.add_argument("--workspace", required=True, help="the workspace, as make has it")
    parser.add_argument("--bin", required=True, type=Path, help="the folder of the programs")
    parser.add_argument("--profile", default="local", help="a folder in fleet/profiles, or any other folder")
    parser.add_argument("--budget", help="the most that all runs together may spend, in US dollars")
    parser.add_argument("--in-flight", help="the most calls to one model at a time")
    parser.add_argument("--listen", help="where the ledger listens; for runs on other machines 0.0.0.0:0")
    args, args.snakemake = parser.parse_known_args()
    args.envs = args.envs.resolve()
    return args


def incomplete(runs, environments):
    """The manifests of the first stage of each environment that has ended and is not complete."""
    found = []
    for name in environments:
        run_dir = runs / name
        for stage, manifest in MANIFESTS.items():
            manifest = run_dir / f"{manifest}.jsonl"
            if manifest.exists() and not (run_dir / f".{stage}.command").exists():
                found.append(str(manifest))
                break
    return found


def snakemake(args, state, again, variables):
    """Runs the workflow, and returns its exit status."""
    profile = HERE / "profiles" / args.profile
    profile = profile if profile.is_dir() else Path(args.profile).resolve()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(HERE / "Snakefile")]
    command += ["--directory", str(state), "--profile", str(profile)]
    # This process holds a lock that a kill releases. Half of a manifest is never there, and keeps what was paid.
    command += ["--nolock", "--keep-going", "--keep-incomplete", "--rerun-incomplete"]
    command += ["--rerun-triggers", "mtime", "params"]
    command += ["--config", f"envs={args.envs}", f"workspace={args.workspace}", f"bin={args.bin.resolve()}"]
    if again:
        command += ["--forcerun", *again]
    command += args.snakemake
    ran = subprocess.Popen(command, env=os.environ | variables | {"FLEET_PROFILE": str(profile)})
    # Snakemake ends its jobs: the first Ctrl-C reaches it too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: ran.terminate())
    return ran.wait()


class Ledger:
    """The process that holds the rate limit and the budget of all runs.

    It outlives a workflow that is killed, because jobs of a cluster do: the next workflow finds it by its address file.
    """

    def __init__(self, args, state):
        self.program = args.bin / "fleet-ledger"
        self.dir = state / "ledger"
        self.options = []
        for name in ("budget", "in_flight", "listen"):
            value = getattr(args, name)
            option = {"budget": "--max-cost"}.get(name, f"--{name.replace('_', '-')}")
            self.options += [option, value] if value else []

    def __enter__(self):
        self.dir.mkdir(exist_ok=True)
        self.stop_earlier()
        log = open(self.dir / "ledger.log", "a")
        # Not of the terminal's process group: Ctrl-C lets calls in flight end first.
        self.process = subprocess.Popen(
            [self.program, "serve", self.dir, *self.options], stdout=log, stderr=log, start_new_session=True
        )
        (self.dir / "pid").write_text(str(self.process.pid))
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"fleet: the ledger does not start\n{(self.dir / 'ledger.log').read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def variables(self):
        return {"PROPOSE_AMPLIFY_LEDGER": str(self.dir / "ledger.json")}

    def answers(self):
        status = [self.program, "status", self.dir, "--json"]
        return subprocess.run(status, capture_output=True, check=False).returncode == 0

    def stop_earlier(self):
        """Ends the ledger of a workflow that was killed, which may have had other limits."""
        try:
            pid = int((self.dir / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return
        if os.fsencode(self.dir) not in command:
            return
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + START_SECONDS
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.05)


if __name__ == "__main__":
    main()
