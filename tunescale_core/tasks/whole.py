"""Whether a package's task, and what it makes of rows, is as `Task` says: what is not is met before any training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from tunescale_core.tasks.task import PARSE_RATE, Direction, Example, Law, LeftOut, Metric, Task

DECLARED = ("name", "system", "metrics", "trivial_rule", "judged")


def fault_of_task(task: object, name: str) -> str | None:
    """Return what a task lacks that is to be called `name`; None where it is whole."""
    if not isinstance(task, Task):
        return f"is {type(task).__name__}, no subclass of tunescale_core.tasks.Task"
    missing = [one for one in DECLARED if not hasattr(task, one)]
    return f"lacks {', '.join(missing)}" if missing else next(_faults(task, name), None)


def fault_of_example(example: object) -> str | None:
    """Return what stands in the place of an `Example` or a `LeftOut`; None where it is one."""
    if isinstance(example, LeftOut):
        return None
    if not isinstance(example, Example):
        return f"{type(example).__name__}, no Example and no LeftOut"
    return next(_odd_fields(example), None)


def _faults(task: Task, name: str) -> Iterator[str]:
    if not all(isinstance(metric, Metric) for metric in task.metrics):
        yield "needs metrics that are tunescale_core.tasks.Metric"
    names = [metric.name for metric in task.metrics]
    if task.name != name:
        yield f"calls itself {task.name!r}"
    if not isinstance(task.columns, tuple):
        yield "needs a tuple of names as columns"
    if len(set(names)) < len(names) or names[-1:] != [PARSE_RATE.name] or len(names) < 2:
        yield f"needs metrics of different names, the parse rate last; it has {', '.join(names) or 'none'}"
    for metric in task.metrics:
        if metric.law not in get_args(Law) or metric.better not in get_args(Direction):
            yield f"has a metric {metric.name!r} of law {metric.law!r}, better {metric.better!r}"
    judge = task.metric(task.judged)
    if judge is None:
        yield f"is judged by {task.judged!r}, which is none of its metrics"
    elif judge.over is not None:
        yield f"is judged by {task.judged!r}, which is no mean over answers"


def _is_message(one: object) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("role", "content"))


def _odd_fields(example: Example) -> Iterator[str]:
    if not all(isinstance(text, str) for text in (example.id, example.target, example.group)):
        yield "an Example whose id, target or group is no text"
    if not isinstance(example.gold, tuple) or not all(isinstance(text, str) for text in example.gold):
        yield "an Example whose gold is no tuple of texts"
    if not isinstance(example.messages, tuple) or not example.messages or not all(map(_is_message, example.messages)):
        yield "an Example whose messages are no tuple of roles and contents"
