"""The tasks by name."""

from tunescale_core.tasks.arc import Arc
from tunescale_core.tasks.openmath import OpenMath
from tunescale_core.tasks.squad_v2 import SquadV2
from tunescale_core.tasks.task import Answer, Example, LeftOut, Metric, Task

TASKS: dict[str, Task] = {task.name: task for task in (Arc(), OpenMath(), SquadV2())}

__all__ = ["TASKS", "Answer", "Example", "LeftOut", "Metric", "Task"]
