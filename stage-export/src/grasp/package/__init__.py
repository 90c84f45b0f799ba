"""Exported tasks for GRASP: `ExportedTasks` is a `grasp.Task`; `python -m grasp_tasks` runs the learning loop."""

from .environments import Container, gym_anything
from .tasks import ExportedTasks

__all__ = ["Container", "ExportedTasks", "gym_anything"]
