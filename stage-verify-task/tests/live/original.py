"""Runs tasks by gym-anything's own verification, and prints the seconds that each takes, as JSON:

    original.py ENVIRONMENT IMAGE DESKTOP NETWORK TASK…

ENVIRONMENT is a copy, whose spec this program replaces: it starts from IMAGE, and DESKTOP is the script that starts its
desktop. Three changes are needed to run a hook at all: the runner for docker can be chosen, its `exec` takes a time limit,
and its containers get NETWORK, where docker has no default one. The first task builds the checkpoint of the level
post_start, and is not measured.
"""

import json
import os
import pathlib
import shlex
import sys
import tempfile
import time

from gym_anything.env import GymAnythingEnv
from gym_anything.runtime.runners import docker
from gym_anything.verification.pipeline import verify_task_pipeline


def change(network):
    execute, run = docker.DockerRunner.exec, docker._sh

    def exec_with_limit(self, command, *arguments, timeout=None, **options):
        return execute(self, command, *arguments, **options)

    def run_in_network(command, *arguments, **options):
        if command[:2] == ["docker", "run"]:
            command = [*command[:2], "--network", network, *command[2:]]
        return run(command, *arguments, **options)

    docker.DockerRunner.exec, docker._sh = exec_with_limit, run_in_network
    GymAnythingEnv._select_runner = lambda self, spec: docker.DockerRunner(spec)


def write_spec(env, image, desktop, artifacts):
    spec = json.loads((env / "env.json").read_text())
    del spec["base"]
    start = shlex.join(["sh", "-c", desktop, "sh", ":99", "1920", "1080", "ga", "", ""])
    spec |= {
        "image": image,
        "entrypoint": f"mkdir -p /run/verify-task; {start} </dev/null >/tmp/desktop.log 2>&1",
        "recording": {"enable": False, "output_dir": artifacts},
        "security": {"user": "root", "cap_drop": [], "use_systemd": False},
        "observation": [{"type": "rgb_screen", "fps": 10, "resolution": [1920, 1080]}],
        "action": [{"type": "mouse"}, {"type": "keyboard"}],
    }
    (env / "env.json").write_text(json.dumps(spec))


def main():
    env, image, desktop, network, *tasks = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    change(network)
    seconds = {}
    with tempfile.TemporaryDirectory() as artifacts:
        write_spec(pathlib.Path(env), image, pathlib.Path(desktop).read_text(), artifacts)
        for number, task in enumerate([tasks[0], *tasks]):
            started = time.monotonic()
            result = verify_task_pipeline(pathlib.Path(env), task, use_cache=True, cache_level="post_start")
            if number:
                seconds[task] = [time.monotonic() - started, result.verifier]
    json.dump(seconds, answers)


main()
