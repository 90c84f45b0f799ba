"""Runs stage-propose with the real Claude Code and a scripted model.

    python3 run.py STAGE_PROPOSE ENVIRONMENT

installs the npm package @anthropic-ai/claude-code into a temporary folder (the only step that needs a network),
then continues in a network namespace with only a loopback interface, if namespaces are permitted.
"""

import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

import model
import tasks

PACKAGE = "@anthropic-ai/claude-code"
SEEDS = [("seed", name) for name in tasks.NAMES]
FEEDBACK = "This is not hard. Set the right difficulty."
HERE = pathlib.Path(__file__).resolve()


def main(arguments):
    if arguments[0] == "--inside":
        return inside(*map(pathlib.Path, arguments[1:]))
    stage, environment = (pathlib.Path(argument).resolve() for argument in arguments)
    with tempfile.TemporaryDirectory(prefix="test-claude-") as scratch:
        say(f"installing {PACKAGE}")
        npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", scratch, PACKAGE]
        subprocess.run(npm, check=True, stdin=subprocess.DEVNULL)
        claude = pathlib.Path(scratch, "node_modules/.bin/claude")
        command = [sys.executable, str(HERE), "--inside", str(stage), str(environment), str(claude), scratch]
        # Not as a user mapped to root: Claude Code would find that its files belong to another user.
        for unshare in (["unshare", "--net"], ["unshare", "--map-current-user", "--keep-caps", "--net"]):
            if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode == 0:
                return subprocess.run([*unshare, *command]).returncode
        say("network namespaces are not permitted here: continuing with the network unchanged")
        return subprocess.run(command).returncode


def inside(stage, environment, claude, scratch):
    raise_loopback()
    say("network: " + ("loopback only" if is_offline() else "NOT isolated"))
    test = Test(stage, environment, claude, scratch)
    say("Claude Code " + test.version())
    test.all_phases()
    test.resumed_run()
    test.edit()
    test.session_in_use()
    test.session_unknown()
    test.hang()
    test.root()
    say(f"all passed; the model was asked {test.model.requests} times")
    return 0


class Test:
    def __init__(self, stage, environment, claude, scratch):
        self.stage, self.environment, self.claude, self.scratch = stage, environment, claude, scratch
        self.model = model.Model()
        home = scratch / "home"
        home.mkdir()
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "IS_SANDBOX": "1",
            "ANTHROPIC_API_KEY": "none",
            "ANTHROPIC_BASE_URL": model.serve(self.model),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
        }

    def version(self):
        command = [str(self.claude), "--version"]
        return subprocess.run(command, env=self.variables, capture_output=True, text=True, check=True).stdout.strip()

    def all_phases(self):
        workspace = self.workspace("all phases: one task is good at once, another after the review")
        run = self.run(workspace, "--seed-count", "2")
        run.expect(0, SEEDS)
        run.expect_said("phase 3, nudge: ")
        assert "no tool call of the agent opened" not in run.stderr, "it opens every page of the notes"
        listed = json.loads((self.env(workspace) / "tasks/seed_tasks.json").read_text())
        assert sorted(listed[-2:]) == sorted(tasks.NAMES), listed

    def resumed_run(self):
        workspace = self.workspace("a phase that ends with an API error, and the command that resumes it")
        self.model.refuse_writing = True
        run = self.run(workspace, "--seed-count", "2")
        run.expect(1, [("failure", "phase_error"), ("failure", "too_few_seeds")])
        self.model.refuse_writing = False
        session, phase = re.search(r"--session-id (\S+) --start-phase (\d)", run.stderr).groups()
        assert phase == "2", phase
        run = self.run(workspace, "--seed-count", "2", "--session-id", session, "--start-phase", phase)
        run.expect(0, SEEDS)

    def edit(self):
        workspace = self.workspace("an edit after an expert's feedback")
        (workspace / "feedback.md").write_text(FEEDBACK)
        task = "enter_penobscot_bill"
        run = self.run(workspace, "--edit-task", task, "--feedback", str(workspace / "feedback.md"))
        run.expect(0, [("seed", task)])
        spec = json.loads((self.env(workspace) / "tasks" / task / "task.json").read_text())
        assert (spec["id"], spec["difficulty"]) == (f"{task}@1", "very_hard"), spec

    def session_in_use(self):
        workspace = self.workspace("a session that is in use")
        session = "11111111-2222-4333-8444-555555555555"
        self.run(workspace, "--session-id", session, "--seed-count", "2").expect(0, SEEDS)
        run = self.run(workspace, "--session-id", session, "--run-dir", str(workspace / "another"))
        run.expect(1, [("failure", "session_in_use"), ("failure", "too_few_seeds")])

    def session_unknown(self):
        workspace = self.workspace("an unknown session")
        run = self.run(workspace, "--session-id", "11111111-2222-4333-8444-666666666666", "--start-phase", "2")
        run.expect(1, [("failure", "session_unknown"), ("failure", "too_few_seeds")])

    def hang(self):
        workspace = self.workspace("commands that ignore TERM, one of them in its own session, until the time limit")
        pids = workspace / "pids"
        stubborn = f"trap '' TERM; echo $$ >>{pids}; while :; do sleep 600; done"
        self.model.hang_with = f'(setsid sh -c "{stubborn.replace("$", chr(92) + "$")}" &); {stubborn}'
        run = self.run(workspace, "--timeout-sec", "5")
        self.model.hang_with = None
        run.expect(1, [("failure", "phase_timed_out"), ("failure", "too_few_seeds")])
        for pid in pids.read_text().split():
            assert not is_running(pid), f"process {pid} still runs"
        assert len(pids.read_text().split()) == 2
        say("    none of the 2 processes is left")

    def root(self):
        if os.geteuid() != 0:
            return
        workspace = self.workspace("root, without IS_SANDBOX=1")
        self.variables["IS_SANDBOX"] = "0"
        run = self.run(workspace)
        run.expect(2, [])
        run.expect_said("IS_SANDBOX=1")

    def workspace(self, title):
        say(f"\n{title}")
        workspace = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        shutil.copytree(self.environment, self.env(workspace))
        return workspace

    def env(self, workspace):
        return workspace / "benchmarks/cua_world/environments" / self.environment.name

    def run(self, workspace, *arguments):
        command = [str(self.stage), "--workspace", str(workspace), "--env-dir", self.environment.name]
        command += ["--software", "GnuCash", "--claude-bin", str(self.claude), *arguments]
        self.model.tool_errors.clear()
        started = time.monotonic()
        done = subprocess.run(command, env=self.variables, capture_output=True, text=True, cwd=workspace)
        run = Run(done, time.monotonic() - started)
        shown = run.stderr.replace(str(workspace), "WORKSPACE").replace(str(self.scratch), "SCRATCH")
        say(f"  $ stage-propose {' '.join(arguments)}".replace(str(workspace), "WORKSPACE"))
        say("".join(f"    {line}\n" for line in shown.splitlines()), end="")
        say(f"    exit status {run.code} after {run.seconds:.1f} s")
        # A tool that is killed together with Claude Code may just have time to say so.
        assert self.model.hang_with or not self.model.tool_errors, self.model.tool_errors
        return run


class Run:
    def __init__(self, done, seconds):
        self.code, self.stderr, self.seconds = done.returncode, done.stderr, seconds
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.records = [
            (record["record"], record["code"] if record["record"] == "failure" else record["task"])
            for record in records
        ]

    def expect(self, code, records):
        assert (self.code, self.records) == (code, records), (self.code, self.records)

    def expect_said(self, words):
        assert words in self.stderr, words


def is_running(pid):
    try:
        state = pathlib.Path("/proc", pid, "stat").read_text().rpartition(") ")[2]
    except OSError:
        return False
    return not state.startswith("Z")


def raise_loopback():
    """Does what `ip link set lo up` does (netdevice(7): SIOCSIFFLAGS, IFF_UP). Outside a namespace it is up."""
    with socket.socket() as any_socket:
        try:
            fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 0x1))
        except PermissionError:
            pass


def is_offline():
    try:
        # A documentation address (RFC 5737): unused, but a connected network would try to reach it.
        socket.create_connection(("192.0.2.1", 443), timeout=2).close()
    except OSError as error:
        return error.errno == errno.ENETUNREACH
    return False


def say(words, end="\n"):
    print(words, end=end, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
