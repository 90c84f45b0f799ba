"""The gym-anything of the tests: a checkout that the environment variable GYM_ANYTHING names."""

import json
import os
import pathlib
import shutil
import subprocess
import tomllib
import venv

HERE = pathlib.Path(__file__).resolve().parent
DESKTOP = HERE.parents[2] / "task-spec/src/machine/desktop.sh"


def why_none():
    """Why gym-anything cannot be used; empty if it can."""
    return "" if os.environ.get("GYM_ANYTHING") else "set GYM_ANYTHING=path/to/checkout"


def python(folder):
    """The Python of a virtual environment in this folder, which has what gym-anything requires."""
    checkout = pathlib.Path(os.environ["GYM_ANYTHING"]).resolve()
    os.environ["PYTHONPATH"] = str(checkout / "src")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    found = folder / "bin/python"
    if not found.exists():
        required = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["dependencies"]
        venv.create(folder, with_pip=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *required], check=True)
    return found


def verify(python, demo, image, tasks):
    """The mean seconds of gym-anything's own verification of tasks, of which nothing is done."""
    root = demo.root / "gym"
    shutil.rmtree(root, ignore_errors=True)
    env = root / demo.env.relative_to(demo.root)
    shutil.copytree(demo.env, env)
    command = [python, HERE / "original.py", env, image, DESKTOP, demo.network, *tasks]
    verified = json.loads(subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True).stdout)
    for task, (_, verdict) in verified.items():
        if not verdict or verdict.get("passed") is not False or verdict.get("score") != 0:
            raise SystemExit(f"gym-anything verifies {task}: {verdict}")
    return sum(seconds for seconds, _ in verified.values()) / len(verified)
