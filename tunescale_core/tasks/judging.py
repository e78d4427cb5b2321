"""One answer judged: read from what was said, and scored; what a package's task fails at is told in a line."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunescale_core.errors import TaskError, TuneScaleError
from tunescale_core.tasks import TASKS
from tunescale_core.tasks.task import Answer, Example, Task


@contextmanager
def naming(task: Task, where: str) -> Iterator[None]:
    """Turn what a package's task raises inside the block into one line, with the place in its code.

    Args:
        task: Whose code is run.
        where: At what: `the answer to 17`.

    Raises:
        TaskError: It has raised something.
    """
    try:
        yield
    except TuneScaleError:
        raise
    except Exception as error:
        if not TASKS.packages(task.name):
            raise
        raise TaskError(
            f"task {task.name!r} fails at {where}: {type(error).__name__}: {' '.join(str(error).split())} "
            f"({_place(task, error)})"
        ) from error


def _place(task: Task, error: BaseException) -> str:
    """Return the last line of the task's own folder that an error came through, else the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = Path(inspect.getfile(type(task))).parent
    inside = (one for one in reversed(frames) if Path(one.filename).is_relative_to(own) and one.filename != __file__)
    frame = next(inside, frames[-1])
    return f"{frame.filename}:{frame.lineno}"


def judge(task: Task, example: Example, text: str) -> tuple[Answer, dict[str, float]]:
    """Return what an answer says, and its scores by metric.

    Raises:
        TaskError: A package's task fails at it.
    """
    with naming(task, f"the answer to {example.id}"):
        answer = Answer(example.gold, task.parse(text))
        return answer, task.score(answer)
