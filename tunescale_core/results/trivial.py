"""What answering without looking scores: the floor that every quality is to be read against."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from tunescale_core.arrays import Figures
from tunescale_core.records.lines import read_rows
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS, Answer, Metric


@lru_cache(maxsize=64)  # every table and figure asks
def trivial_quality(results: Results, task: str, metric: Metric | None = None) -> float | None:
    """Return what always giving the task's trivial answer to the examples that were asked scores.

    Args:
        results: Where they were asked.
        task: Of the examples.
        metric: One of the task's; its primary one unless given.

    The answer is chosen knowing what is right (the majority letter, the median number), so it is the best of its
    kind; None where the source has no examples.
    """
    answers = _trivial_answers(results, task)
    return None if answers is None else (metric or results.metric(task))(answers)


@lru_cache(maxsize=64)
def trivial_figures(results: Results, task: str, metric: Metric) -> Figures | None:
    """Return what each of those answers contributes to a metric, shape `(n,)`."""
    import numpy as np

    answers = _trivial_answers(results, task)
    return None if answers is None else np.array([metric.each(answer) for answer in answers], dtype=float)


def _trivial_answers(results: Results, task: str) -> list[Answer] | None:
    cell = next((cell for cell in results.cells if cell.task == task and cell.source is not None), None)
    if cell is None:
        return None
    table = read_rows(cell.source, ["gold"]) if isinstance(cell.source, Path) else cell.source
    golds = [tuple(gold) for gold in table["gold"].to_pylist()]
    said = TASKS[cell.kind].trivial(golds)
    return [Answer(gold, said) for gold in golds]


def trivial_rule(results: Results, task: str) -> str:
    """Return how a task's trivial answer is chosen, in words."""
    return TASKS[next(cell.kind for cell in results.cells if cell.task == task)].trivial_rule
