"""Loads every task of an export with Harbor's own classes: load_harbor.py FOLDER"""

import json
import os
import pathlib
import sys

from harbor.models.registry import Registry
from harbor.models.task.task import Task

folder = pathlib.Path(sys.argv[1])
os.chdir(folder)
marker = json.loads((folder / "export.json").read_text())
expected = {f"{env}/{task}": side for env, tasks in marker["tasks"].items() for task, side in tasks.items()}

(dataset,) = Registry.from_path(folder / "registry.json").datasets
found, solved = {}, 0
for listed in dataset.tasks:
    path = listed.to_source_task_id().get_local_path()
    assert Task.is_valid_dir(path), path
    task = Task(path)
    assert task.name == listed.name and task.instruction.strip()
    found[task.name] = task.config.metadata["split"]
    environment = task.config.environment
    image = (folder / "environments" / task.name.split("/")[0] / "image.txt").read_text().strip()
    assert environment.docker_image == image and environment.healthcheck.command
    assert task.paths.discovered_test_path_for(environment.os)
    solved += task.paths.discovered_solve_path_for(environment.os) is not None
assert found == expected, (found, expected)
print(f"{len(found)} tasks valid, {solved} with a solution")
