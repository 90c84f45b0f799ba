"""The tasks of this package, for Prime Intellect's verifiers."""

import pathlib
import tomllib

from verifiers.v1.taskset import Taskset
from verifiers.v1.tasksets.harbor import HarborConfig, HarborTask
from verifiers.v1.tasksets.harbor.taskset import parse_task

TASKS = pathlib.Path(__file__).resolve().parent / "harbor" / "tasks"


class GeneratedConfig(HarborConfig):
    split: str | None = None
    """`train` or `test`; all tasks without it."""


class GeneratedTaskset(Taskset[HarborTask, GeneratedConfig]):
    """Tasks of Harbor that come with the package, so that nothing is downloaded."""

    def load(self):
        for number, folder in enumerate(self.folders()):
            yield HarborTask(parse_task(folder, number, self.config), self.config.task)

    def folders(self):
        """The folders of the wanted tasks, sorted by name."""
        for path in sorted(TASKS.glob("*/task.toml")):
            split = tomllib.loads(path.read_text())["metadata"]["split"]
            wanted = self.config.tasks is None or path.parent.name in self.config.tasks
            if wanted and self.config.split in (None, split):
                yield path.parent


__all__ = ["GeneratedTaskset"]
