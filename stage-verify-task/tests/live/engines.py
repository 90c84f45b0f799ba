"""Container engines for the tests: the one that answers, or a dockerd of the test's own."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

ANSWERS = ["docker", "version", "--format", "{{.Server.Version}}"]
LABEL = "label=propose-amplify=verify-task"
NAME = re.compile(rb"verify-task-[0-9a-f]{32}")


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def containers():
    """The containers of stage-verify-task, ended ones too."""
    return docker("ps", "--all", "--quiet", "--filter", LABEL).split()


def left():
    """What is left of the stage: containers, processes of the engine's program, and mounts once no container runs."""
    found = containers() + processes()
    if not docker("ps", "--quiet"):
        found += mounts(docker("info", "--format", "{{.DockerRootDir}}") + "/overlay2")
    return found


def processes():
    """The command lines of programs that hold a container of the stage, or run a script in one."""
    lines = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = file.read_bytes().split(b"\0")
            lines += [b" ".join(words).decode(errors="replace")[:200]] if any(map(NAME.fullmatch, words)) else []
    return lines


def answers():
    return bool(shutil.which("docker")) and subprocess.run(ANSWERS, capture_output=True).returncode == 0


def why_no_daemon():
    """Why this test cannot start dockerd; empty if it can."""
    if not shutil.which("dockerd"):
        return "there is no dockerd; install docker.io"
    return "" if os.getuid() == 0 else "dockerd needs root"


@contextlib.contextmanager
def engine():
    """The engine that answers, or one that is started for this test. Gives its network for the building of images."""
    if answers():
        yield os.environ.get("NETWORK", "bridge")
        return
    if why_no_daemon():
        raise SystemExit(f"no container engine answers, and none can be started: {why_no_daemon()}, or set DOCKER_HOST")
    with tempfile.TemporaryDirectory(prefix="test-live-") as folder, Daemon(folder):
        # Without a bridge, the network of the machine is the only one.
        yield "host"


class Daemon:
    """dockerd with all its files in a folder. DOCKER_HOST names it while it runs."""

    def __init__(self, folder):
        self.folder, self.process, self.before = pathlib.Path(folder), None, os.environ.get("DOCKER_HOST")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        if self.before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = self.before
        unmount(self.folder)

    def start(self):
        os.environ["DOCKER_HOST"] = f"unix://{self.folder}/socket"
        paths = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        options = [f"--{name}={self.folder}/{path}" for name, path in paths.items()]
        options += ["--iptables=false", "--ip6tables=false", "--bridge=none", f"--host=unix://{self.folder}/socket"]
        for left in ("pid", "exec/containerd/containerd.pid"):
            (self.folder / left).unlink(missing_ok=True)
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while not answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("dockerd does not start:\n" + (self.folder / "log").read_text()[-2000:])
            time.sleep(0.2)

    def stop(self, number=signal.SIGTERM):
        """Ends dockerd; what it started, too, if it was killed."""
        self.process.send_signal(number)
        self.process.wait()
        pid = self.folder / "exec/containerd/containerd.pid"
        if number == signal.SIGKILL and pid.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGKILL)


def mounts(folder):
    """What is mounted below a folder, the last first."""
    lines = pathlib.Path("/proc/mounts").read_text().splitlines()
    return [line.split()[1] for line in reversed(lines) if line.split()[1].startswith(f"{folder}/")]


def unmount(folder):
    for path in mounts(folder):
        subprocess.run(["umount", "--lazy", path], check=False)
