"""Holds one machine of gym-anything for stage-verify-task.

Reads requests and writes answers, a JSON object a line; the functions of `Machine` are the requests. The machine ends
with standard input, also in the middle of a request. What gym-anything prints goes to standard error.
"""

import inspect
import json
import os
import pathlib
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import gym_anything
from gym_anything.runtime.runners import docker

HERE = "/run/verify-task"

#: How long a runner may need to notice that a script has ended, in seconds.
GRACE = 30

SILENT = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Machine:
    def __init__(self, folder):
        self.folder, self.runner = folder, None
        # Held while docker starts a container. No other is started once the machine is ended.
        self.starting, self.is_ended = threading.Lock(), False

    def open(self, spec, image, key, mounts, desktop, display, network):
        """Chooses the runner. `image` replaces the base of the environment, for Docker; `desktop` starts its desktop."""
        mounts = [{**mount, "source": self.copied(mount)} for mount in mounts]
        spec = {**spec, "mounts": mounts, "recording": {"enable": False, "output_dir": str(self.folder / "artifacts")}}
        if image:
            spec["runner"] = "local"  # No other runner is looked for.
        environment = gym_anything.make(spec)
        spec, self.runner = environment.env_spec, environment._runner
        # Checkpoints are named after the environment alone. The key tells whether its files have changed since.
        spec.version = key
        if hasattr(self.runner, "env_hash"):
            self.runner.env_hash = key
        if image:
            security = type(spec.security)
            spec.image, spec.dockerfile, spec.vnc.enable = image, None, False
            spec.security = security(user="root", cap_drop=[], cap_add=spec.security.cap_add)
            spec.entrypoint = spec.entrypoint or desktop
            spec.resources.net = network is not None
            self.runner = docker.DockerRunner(spec)
            self.runner.display = display
        if self.runner is None:  # GYM_ANYTHING_RUNNER=docker
            self.runner = docker.DockerRunner(spec)
        self.adapt_docker(network)
        self.runner.set_checkpoint_key("post_start")
        if not self.runner.supports_checkpoint_caching():
            raise RuntimeError(f"{type(self.runner).__name__} keeps no checkpoints")
        return {"runner": type(self.runner).__name__, "exists": self.runner.checkpoint_exists()}

    def copied(self, mount):
        """What a machine may write to is a copy."""
        if mount["mode"] == "ro":
            return mount["source"]
        return shutil.copytree(mount["source"], self.folder / uuid.uuid4().hex, symlinks=True)

    def start(self, is_built):
        """Starts the machine, from its checkpoint if it is built."""
        if not is_built:
            self.runner.start()
        elif not self.runner.start_from_checkpoint():
            raise RuntimeError("the checkpoint does not start")
        self.call(f"mkdir -p {HERE}", GRACE)
        return {}

    def keep(self):
        """Keeps the machine as a checkpoint."""
        if not self.runner.create_checkpoint():
            raise RuntimeError("the checkpoint cannot be written")
        return {}

    def run(self, text, user, limit, most):
        """Runs a script. Its output goes to a file, so that processes which it leaves do not hold it open; and the machine
        itself is asked for its exit status, which some runners ignore, and others raise."""
        mark = uuid.uuid4().hex
        file = f"{HERE}/{mark}"
        script = ["sh", "-c", text] if user == "root" else ["su", "-s", "/bin/sh", user, "-c", text]
        limited = shlex.join(["timeout", "--kill-after=5", f"{limit:.3f}", *script])
        started = time.monotonic()
        self.call(f"{limited} >{file} 2>&1 </dev/null; echo $? >{file}.exit", limit + GRACE)
        took = time.monotonic() - started
        show = f"echo {mark} $(cat {file}.exit); head -c {most} {file} | base64; echo {mark}; rm -f {file} {file}.exit"
        parts = self.runner.exec_capture("sh -c " + shlex.quote(show)).split(mark)
        if len(parts) != 3:
            raise RuntimeError("the machine does not answer")
        status, _, output = parts[1].strip().partition("\n")
        is_late = took >= limit and status in ("124", "137")
        return {"exit": None if is_late else int(status), "output": "".join(output.split()), "seconds": took}

    def call(self, script, limit):
        """Not every runner has a time limit."""
        options = {"timeout": int(limit)} if "timeout" in inspect.signature(self.runner.exec).parameters else {}
        self.runner.exec("sh -c " + shlex.quote(script), use_pty=False, **options)

    def stop(self):
        # A container that docker is starting could not be removed yet.
        self.starting.acquire(timeout=GRACE)
        self.is_ended = True
        if self.runner is not None:
            # A runner that is still starting would leave its machine.
            self.runner._running = True
            self.runner.stop()
            self.remove_container()
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_container(self):
        """Containers of DockerRunner remove themselves, too. Its own removal is then refused, and returns too early."""
        name = getattr(self.runner, "container_name", None)
        deadline = time.monotonic() + GRACE
        while name and time.monotonic() < deadline:
            if subprocess.run(["docker", "container", "inspect", name], **SILENT).returncode:
                return
            subprocess.run(["docker", "rm", "--force", "--volumes", name], **SILENT)
            time.sleep(0.1)

    def adapt_docker(self, network):
        """DockerRunner knows no network but none and the default; and its containers have no first process that reaps
        others, so that programs which have ended seem to run."""
        run = docker._sh

        def run_adapted(command, *arguments, **options):
            if command[:2] != ["docker", "run"]:
                return run(command, *arguments, **options)
            chosen = ["--network", network] if network and "--network" not in command else []
            with self.starting:
                if self.is_ended:
                    raise RuntimeError("the machine is ended")
                return run([*command[:2], "--init", *chosen, *command[2:]], *arguments, **options)

        docker._sh = run_adapted


def read(requests, machine):
    for line in sys.stdin:
        requests.put(json.loads(line))
    # Who reads what is printed may have been killed.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        machine.stop()
    finally:
        os._exit(0)


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    machine, requests = Machine(pathlib.Path(tempfile.mkdtemp(prefix="verify-task-"))), queue.SimpleQueue()
    threading.Thread(target=read, args=(requests, machine), daemon=True).start()
    while True:
        request = requests.get()
        try:
            answer = getattr(machine, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
