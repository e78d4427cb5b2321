"""The tasks by name."""

from tunescale_core.tasks.arc import Arc
from tunescale_core.tasks.classification import Classification
from tunescale_core.tasks.installed import Tasks
from tunescale_core.tasks.openmath import OpenMath
from tunescale_core.tasks.short_answer import ShortAnswer
from tunescale_core.tasks.squad_v2 import SquadV2
from tunescale_core.tasks.task import PARSE_RATE, Answer, Example, LeftOut, Metric, Task

PAPERS: tuple[Task, ...] = (Arc(), OpenMath(), SquadV2())
"""What "When to Tune, When to Scale" asks; the embedded family knows these, and has rows of them."""
TASKS = Tasks((*PAPERS, Classification(), ShortAnswer()))

__all__ = ["PAPERS", "PARSE_RATE", "TASKS", "Answer", "Example", "LeftOut", "Metric", "Task"]
