"""What greedy decoding fixes: output tokens, the parse rate, the number of parameters.

Where what decides arithmetic is the same on both sides they are compared exactly: any change is a change of the
program. Where it is not, answers may differ by rounding alone, and they are tested as pairs.
"""

from __future__ import annotations

from tunescale_core.arrays import Figures
from tunescale_core.gates.differences import arithmetic, served_elsewhere
from tunescale_core.gates.figure import Figure
from tunescale_core.gates.quality import pair_of
from tunescale_core.gates.sides import Sides
from tunescale_core.gates.verdict import Outcome, Verdict
from tunescale_core.results.pair import touching
from tunescale_core.results.result import Result, Rows
from tunescale_core.study.margins import Gate, direction
from tunescale_core.tasks import Metric
from tunescale_core.tasks.task import PARSE_RATE, Answer

EXACT = "exact"
"""The test of what is compared to the last digit."""
PARAMETERS = "parameters"


def _counted_elsewhere(answer: Answer) -> float:
    raise NotImplementedError(f"the model that said {answer.said!r} counted its tokens: they are in the rows")


TOKENS = Metric("tokens", "tokens", "", "lower", _counted_elsewhere, digits=1, law="mean")
"""Mean output tokens of an answer."""


def fixed(cell: str, metric: Metric, old: Result, new: Result, gate: Gate) -> Figure | Verdict:
    """Return the parse rate or the output tokens of a case: compared exactly, or for testing with what differs.

    Args:
        cell: The case's id.
        metric: `PARSE_RATE` or `TOKENS`.
        old: The baseline's result, with rows.
        new: The run's, with rows of the same examples.
        gate: The study's margins.
    """
    rows = [side.rows for side in (old, new)]
    before, after = (_column(metric, found) for found in rows if found)
    values = (float(before.mean()), float(after.mean()))
    margin = gate.margin(cell, old.task, metric.name, metric.better)
    sides = (cell, metric.name, *values, metric.better, metric.unit, metric.digits, margin)
    apart = rounding(old, new)
    if apart is None:
        return exactly(Sides(*sides))
    pair = pair_of(metric, before, after, rows[0].group if rows[0] else (), values[1] - values[0])
    return Figure(*sides, apart, pair=pair)


def parameters(cell: str, old: Result, new: Result, gate: Gate) -> Verdict:
    """Return the verdict on a tuned case's parameters: the trained ones, or all where it is those that changed.

    Args:
        cell: The case's id.
        old: The baseline's result, whose record has a cost.
        new: The run's.
        gate: The study's margins.
    """
    before, after = (side.record.cost if side.record else None for side in (old, new))
    margin = gate.margin(cell, old.task, PARAMETERS, direction(PARAMETERS))
    if before is None or after is None:
        where = "the baseline" if before is None else "this run"
        return Verdict(cell, PARAMETERS, "refused", better="lower", note=f"{where} does not say what it trained")
    trained, every = (
        exactly(Sides(cell, PARAMETERS, *pair, "lower", "", 0, margin, note))
        for pair, note in (
            ((before.trainable_parameters, after.trainable_parameters), "those trained"),
            ((before.parameters, after.parameters), "all of them"),
        )
    )
    worse = every.outcome == "regression" and trained.outcome != "regression"
    return every if worse or (trained.old == trained.new and every.old != every.new) else trained


def exactly(sides: Sides) -> Verdict:
    """Return the verdict on a figure that no chance has a part in, so that it is compared to the last digit."""
    return Verdict(
        sides.cell,
        sides.metric,
        _outcome(sides),
        sides.old,
        sides.new,
        sides.better,
        sides.unit,
        sides.digits,
        margin=sides.margin,
        test=EXACT,
        note=sides.note,
    )


def _outcome(sides: Sides) -> Outcome:
    """Call a change for the worse beyond the margin a regression, one for the better better."""
    most = touching(sides.allowed)
    if sides.gain < -most or (sides.margin.both and sides.gain > most):
        return "regression"
    return "better" if sides.gain > touching(0.0) else "holds"


def rounding(old: Result, new: Result) -> str | None:
    """Return what may round otherwise on the two sides; None where nothing may."""
    records = [side.record for side in (old, new)]
    rounded = any(one and one.in_few_bits for one in records)
    before, now = (one.provenance if one else None for one in records)
    return served_elsewhere(old, new) or arithmetic(before, now, rounded=rounded)


def _column(metric: Metric, rows: Rows) -> Figures:
    return rows.tokens if metric is TOKENS else rows.figures[PARSE_RATE.name]
