"""gym-anything for tests: the modules that stage-verify-task uses, with a runner whose machines are folders.

`RUNNER` configures it: a runner without checkpoints, one that never starts, one whose containers outlive it. Machines are folders of the working directory.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import types

CONFIG = json.loads(os.environ.get("RUNNER", "{}"))
KEPT = pathlib.Path("checkpoints")


class Runner:
    def __init__(self, spec):
        self.spec, self.root, self.container_name, self._running = spec, None, None, False

    def supports_checkpoint_caching(self):
        return not CONFIG.get("forgets")

    def set_checkpoint_key(self, level):
        self.level = level

    def checkpoint(self):
        return KEPT / f"{self.spec.version}-{self.level}"

    def checkpoint_exists(self):
        return self.checkpoint().exists()

    def create_checkpoint(self):
        shutil.copytree(self.root, self.checkpoint(), ignore=shutil.ignore_patterns("workspace"))
        return True

    def start_from_checkpoint(self):
        self.start()
        shutil.copytree(self.checkpoint(), self.root, dirs_exist_ok=True)
        return True

    def start(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="machine-", dir="."))
        self.container_name = self.root.name
        while CONFIG.get("hangs"):
            time.sleep(1)
        for mount in self.spec.mounts:
            target = self.root / mount["target"].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(mount["source"])
        self.root = self.root.resolve()
        print("a line that the runner prints")

    def stop(self):
        if self._running and not CONFIG.get("outlived"):
            shutil.rmtree(self.root)

    def exec(self, command, use_pty=True):
        # It raises instead of returning the status, as one of the runners does.
        if self.run(command, stdout=subprocess.DEVNULL).returncode:
            raise RuntimeError(f"Command failed: {command}")

    def exec_capture(self, command):
        return "Connected.\n" + self.run(command, stdout=subprocess.PIPE, text=True).stdout

    def run(self, command, **options):
        root = self.root
        if "Prints what a machine shows" in command:
            file = re.search(r">(\S+) 2>&1 </dev/null; echo", command)[1]
            command = f"printf '\\0\\0\\0\\0' >{file}; echo 0 >{file}.exit"
        # Absolute paths of the machine become paths of its folder.
        command = re.sub(r"(?<![\w.$}/])/(tmp|run|workspace|solution)\b", rf"{root}/\1", command)
        environment = {**os.environ, "ROOT": str(root), "HOME": str(root)}
        return subprocess.run(["sh", "-c", command], env=environment, cwd=root, stdin=subprocess.DEVNULL, **options)


def make(spec):
    resources = types.SimpleNamespace(**{"net": None, **spec.get("resources", {})})
    spec = types.SimpleNamespace(**{**spec, "resources": resources, "version": ""})
    return types.SimpleNamespace(env_spec=spec, _runner=Runner(spec))


# `gym_anything.runtime.runners.docker`, which the stage imports.
docker = types.ModuleType("gym_anything.runtime.runners.docker")
docker.DockerRunner, docker._sh = Runner, subprocess.run
__path__ = []
for name in ("runtime", "runtime.runners"):
    sys.modules[f"gym_anything.{name}"] = types.ModuleType(f"gym_anything.{name}")
    sys.modules[f"gym_anything.{name}"].__path__ = []
sys.modules["gym_anything.runtime.runners"].docker = docker
sys.modules[docker.__name__] = docker
