"""The gym-anything of the tests: a checkout that the environment variable GYM_ANYTHING names."""

import json
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
DESKTOP = HERE.parents[2] / "task-spec/src/machine/desktop.sh"

#: The Python that runs it, with its requirements.
PYTHON = os.environ.get("PYTHON", "python3")


def why_not():
    """Why it cannot be used; empty if it can."""
    if not os.environ.get("GYM_ANYTHING"):
        return "set GYM_ANYTHING to a checkout"
    os.environ["PYTHONPATH"] = str(pathlib.Path(os.environ["GYM_ANYTHING"]).resolve() / "src")
    ran = subprocess.run([PYTHON, "-c", "import gym_anything.runtime.runners.docker"], capture_output=True, text=True)
    return ran.stderr.strip().rpartition("\n")[2]


def verify(demo, image, tasks):
    """The mean seconds of gym-anything's own verification of tasks, of which nothing is done."""
    root = demo.root / "gym"
    shutil.rmtree(root, ignore_errors=True)
    env = root / demo.env.relative_to(demo.root)
    shutil.copytree(demo.env, env)
    command = [PYTHON, HERE / "original.py", env, image, DESKTOP, demo.network, *tasks]
    verified = json.loads(subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True).stdout)
    for task, (_, verdict) in verified.items():
        if not verdict or verdict.get("passed") is not False or verdict.get("score") != 0:
            raise SystemExit(f"gym-anything verifies {task}: {verdict}")
    return sum(seconds for seconds, _ in verified.values()) / len(verified)
