"""Loads the installed package and scores rollouts: score_verifiers.py FOLDER WORKSPACE

A rollout leaves a file in a folder that stands in for the root of a container: the result that the export of the task
writes in a state with a known verdict. The verifier runs in that folder, which `chroot` makes its root.
"""

import asyncio
import json
import pathlib
import sys
import tempfile

import in_folder
from generated_tasks import GeneratedConfig
from verifiers.v1.runtimes.base import ProgramResult, Runtime
from verifiers.v1.utils.loaders import load_taskset

class FolderRuntime(Runtime):
    """A folder in place of a container."""

    def __init__(self, root):
        super().__init__()
        self.root = root

    async def start(self):
        pass

    async def prepare_execution(self, routes):
        pass

    async def run(self, argv, env):
        done = in_folder.run(self.root, argv, env)
        return ProgramResult(done.returncode, done.stdout, done.stderr)

    async def _read(self, path, max_bytes=None):
        return (self.root / path.lstrip("/")).read_bytes()[:max_bytes]

    async def write(self, path, data):
        in_folder.write(self.root, path, data)


class Trace:
    """What a task notes while it scores."""

    def __init__(self):
        self.metrics = {}

    def record_metrics(self, metrics):
        self.metrics.update(metrics)


async def score(task, state, image):
    """Reward and metrics after a rollout that leaves these files."""
    with tempfile.TemporaryDirectory() as root:
        runtime = FolderRuntime(pathlib.Path(root))
        in_folder.write_state(runtime.root, state, image)
        trace = Trace()
        reward = await task.solved(runtime, trace)
        return reward["reward"], trace.metrics


def main(folder, workspace):
    marker = json.loads((folder / "export.json").read_text())
    expected = sum(len(tasks) for tasks in marker["tasks"].values())
    tasks = list(load_taskset(GeneratedConfig(id="generated_tasks")))
    assert len(tasks) == expected, (len(tasks), expected)
    scored = 0
    for task in tasks:
        env, name = task.data.name.split("/")
        assert task.data.prompt and task.data.image.startswith("task-environments/") and task.data.healthcheck
        place = workspace / "benchmarks/cua_world/environments" / env / "tasks" / name
        fixtures = json.loads((place / "fixtures.json").read_text())
        image = folder / "generated_tasks/harbor/environments" / env
        golden, metrics = asyncio.run(score(task, fixtures["golden"][0], image))
        untouched, _ = asyncio.run(score(task, fixtures["untouched"][0], image))
        assert (golden, metrics, untouched) == (1.0, {"passed": 1.0}, 0.0), (name, golden, metrics, untouched)
        scored += 1
    print(f"{len(tasks)} tasks loaded; {scored} golden states score 1, {scored} untouched ones 0")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
