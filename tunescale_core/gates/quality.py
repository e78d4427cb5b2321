"""How good the answers are, held against the baseline's answers to the same questions."""

from __future__ import annotations

import math
from functools import lru_cache

from tunescale_core.arrays import Figures
from tunescale_core.gates.figure import Figure
from tunescale_core.gates.verdict import Verdict
from tunescale_core.results.pair import Pair
from tunescale_core.results.result import Result
from tunescale_core.stats.resampling import counts, replicated
from tunescale_core.study.margins import EVERYWHERE, Gate
from tunescale_core.tasks import TASKS, Metric

RESAMPLES = 10_000
"""A p of 1 in as many is the least that a bootstrap shows; Holm multiplies it by the number of gates."""


def gated(cell: str, old: Result, gate: Gate) -> tuple[Metric, ...]:
    """Return a case's gated metrics: the primary one, the one by which an answer is judged, and those with a margin.

    Args:
        cell: The case's id.
        old: The baseline's result, which says the task and its kind.
        gate: The study's margins.
    """
    task = TASKS[old.kind]
    always = {task.primary.name, task.judged}
    own = (metric for metric in task.metrics if metric.name not in EVERYWHERE)
    return tuple(one for one in own if one.name in always or gate.declared(cell, old.task, one.name) is not None)


def quality(cell: str, metric: Metric, old: Result, new: Result, gate: Gate) -> Figure | Verdict:
    """Return a metric of a case for testing; its verdict where either side has no finite figure to test.

    Args:
        cell: The case's id.
        metric: One of the task's.
        old: The baseline's result, of the same examples.
        new: The run's.
        gate: The study's margins.
    """
    before, after = (_defined(metric, side) for side in (old, new))
    margin = gate.margin(cell, old.task, metric.name, metric.better)
    if before is not None and after is not None:
        pair = paired(metric, old, new, after - before)
        return Figure(cell, metric.name, before, after, metric.better, metric.unit, metric.digits, margin, pair=pair)
    note = {(True, True): "on both sides", (True, False): "in the baseline", (False, True): "in this run"}
    missing = (before is None, after is None)
    return Verdict(
        cell,
        metric.name,
        "regression" if missing == (False, True) else "holds",
        before,
        after,
        metric.better,
        metric.unit,
        metric.digits,
        margin=margin,
        note=f"undefined {note[missing]}",
    )


def paired(metric: Metric, old: Result, new: Result, difference: float) -> Pair:
    """Return what two results' examples contribute to one of the task's metrics.

    Args:
        metric: The rows have a column of it.
        old: Has rows.
        new: Has rows of the same examples.
        difference: New minus old, in the metric's unit.
    """
    rows = [side.rows for side in (old, new)]
    before, after = (found.figures[metric.name] for found in rows if found)
    return pair_of(metric, before, after, rows[0].group if rows[0] else (), difference)


def pair_of(metric: Metric, old: Figures, new: Figures, group: tuple[str, ...], difference: float) -> Pair:
    """Return a pair whose resamples are shared by all that have the same groups."""

    def resampled() -> Figures:
        return replicated(lambda drawn: metric.combine(new, drawn) - metric.combine(old, drawn), _drawn(group))

    return Pair(metric, difference, new, old, group, resampled)


@lru_cache(maxsize=4)  # a study has few tasks, and every cell of one is weighed by the same rows
def _drawn(group: tuple[str, ...]) -> Figures:
    return counts(group, RESAMPLES)


def _defined(metric: Metric, side: Result) -> float | None:
    """Return a metric's value; None where it is not finite, or the rows do not have what it is made of."""
    value = side.metric_value(metric.name)
    known = side.rows is not None and metric.name in side.rows.figures
    return value if known and value is not None and math.isfinite(value) else None
