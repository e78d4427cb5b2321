"""Ways of serving held against eager: the same answers or not, and results as one way's times and memory make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunescale_core.arrays import Figures
from tunescale_core.errors import ResultsError
from tunescale_core.results.apart import other_weights
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.pair import Pair
from tunescale_core.results.result import Result, Rows
from tunescale_core.results.results import Results
from tunescale_core.stats.interval import Interval
from tunescale_core.stats.resampling import weights
from tunescale_core.study.serving import ANY, EAGER
from tunescale_core.tasks import TASKS
from tunescale_core.tasks.reasoning import parted

CLOCKS = ("seconds", "first_token_seconds")
"""The columns of a cell's rows that belong to how it was served."""
WRITTEN = ("tokens", "reasoning_tokens", "finish")
"""Those of what was written in that time."""


@dataclass(frozen=True)
class Alike:
    """How many answers are eager's, of how many that were asked both ways."""

    equal: int = 0
    of: int = 0

    def __add__(self, other: Alike) -> Alike:
        return Alike(self.equal + other.equal, self.of + other.of)

    def __str__(self) -> str:
        return f"{self.equal}/{self.of}"


def same_seed(eager: Sequence[Result], cell: Result) -> Result | None:
    """Return the cell of the same seed; None where there is none."""
    return next((one for one in eager if one.seed == cell.seed), None)


def alike(cell: Result, eager: Result | None) -> Alike:
    """Count the timed answers of a cell that are those of its eager sibling.

    Servers take a thought out of an answer, with its markers and the blanks around it, so theirs are held against
    eager's part by part.
    """
    if cell.rows is None or eager is None or eager.rows is None:
        return Alike()
    theirs = dict(zip(eager.rows.example, eager.texts, strict=True))
    said = zip(cell.rows.example, cell.texts, cell.rows.timed, strict=True)
    served = cell.record is not None and cell.record.by_endpoint
    read: Callable[[str], object] = parted if served else str
    pairs = [(read(text), read(theirs[example])) for example, text, timed in said if timed and example in theirs]
    return Alike(sum(mine == other for mine, other in pairs), len(pairs))


def against(pairs: Sequence[tuple[Result, Result | None]]) -> Interval | None:
    """Return by how much the metric that judges one answer differs from eager's, over the questions asked both ways.

    Those are the timed ones, and all of them where the answers are the way's own.

    Args:
        pairs: A way of serving's cells of one candidate and task, a seed each, with eager's of the same seed.

    Returns:
        The difference of means with its paired interval, over questions; None where a side or the other has no rows.
    """
    import numpy as np

    known = [(cell.rows, eager.rows) for cell, eager in pairs if cell.rows and eager is not None and eager.rows]
    if not known or len(known) < len(pairs):
        return None
    first, judged = pairs[0][0], [one for pair in known for one in pair]
    own = answers_otherwise(first)
    asked = [one for one, timed in zip(known[0][0].example, known[0][0].timed, strict=True) if timed or own]
    asked = [one for one in asked if all(one in rows.example for rows in judged)]
    metric = TASKS[first.kind].metric(first.judged)
    if not asked or metric is None:
        return None
    sides = [np.mean([_figures(pair[side], metric.name, asked) for pair in known], axis=0) for side in (0, 1)]
    group = tuple(_of(known[0][0], known[0][0].group, asked))
    drawn = weights(group)

    def resampled() -> Figures:
        return metric.combine(sides[0], drawn) - metric.combine(sides[1], drawn)

    ones = np.ones((1, len(asked)))
    difference = float((metric.combine(sides[0], ones) - metric.combine(sides[1], ones))[0])
    return Pair(metric, difference, sides[0], sides[1], group, resampled, single=len(known) == 1).interval


def _figures(rows: Rows, metric: str, asked: Sequence[str]) -> Figures:
    import numpy as np

    return np.array(_of(rows, rows.figures[metric].tolist(), asked))


def _of(rows: Rows, values: Sequence[Any], asked: Sequence[str]) -> list[Any]:
    """Return the values of the questions that are asked, in their order."""
    places = {example: place for place, example in enumerate(rows.example)}
    return [values[places[one]] for one in asked]


def together(cell: Result) -> int:
    """Return how many questions were under way at once."""
    return cell.record.at_once if cell.record else 1


def calls_of(cell: Result) -> int:
    """Return how many timed questions share one call and its seconds."""
    return cell.record.questions_a_call if cell.record else 1


@dataclass(frozen=True)
class Served:
    """Results as one way of serving makes them."""

    results: Results
    """With its latency, its memory, and what was read of the machine meanwhile.

    Quality stays eager's, which rests on all questions where other ways ask the timed ones alone; that of a way whose
    answers are its own (it thinks otherwise, or in few bits) is its own.
    """
    same: Mapping[Candidate, Alike]
    """How many answers it has in common with eager, whose quality it is; empty where it is its own."""
    together: int = 1
    """Questions under way at once."""
    own: bool = False
    """Whether its answers, and so its quality, are its own and not eager's."""


def served_by(results: Results, way: str) -> Served:
    """Return results by a way of serving, or by all of them (`any`); what was not measured so has no figures.

    Questions of one call share its seconds, so the first of them stands for the call, and the others have no times.

    Raises:
        ResultsError: Nothing was measured that way.
    """
    if way == EAGER:
        return Served(results, {})
    if way == ANY:
        return _by_every_way(results)
    ways = sorted({cell.serving for cell in results.served})
    if way not in ways:
        there = ", ".join([EAGER, *ways])
        raise ResultsError(f"nothing in {results.source} was served by {way!r}; there is {there}, or any")
    found = {_place(cell): cell for cell in results.served if cell.serving == way}
    same: dict[Candidate, Alike] = {}
    for cell in results.cells:
        if (other := found.get(_place(cell))) is not None and not answers_otherwise(other):
            same[cell.candidate] = same.get(cell.candidate, Alike()) + alike(other, cell)
    cells = tuple(_timed_as(cell, found.get(_place(cell))) for cell in results.cells)
    at_once = max(map(together, found.values()))
    own = any(map(answers_otherwise, found.values()))
    return Served(Results(cells, results.source, results.served), same, at_once, own)


def _by_every_way(results: Results) -> Served:
    """Return results with a candidate for each way that it was served by: what is shipped is a model and a way."""
    cells = list(results.cells)
    same: dict[Candidate, Alike] = {}
    for way in sorted({cell.serving for cell in results.served}):
        served = served_by(results, way)
        named = {one: replace(one, way=way) for one in results.candidates}
        measured = [cell for cell in served.results.cells if cell.source is not None]
        cells += [replace(cell, candidate=named[cell.candidate]) for cell in measured]
        same |= {named[one]: found for one, found in served.same.items()}
    return Served(Results(tuple(cells), results.source), same)


def _place(cell: Result) -> tuple[Candidate, str, int | None]:
    return cell.candidate, cell.task, cell.seed


def answers_otherwise(cell: Result) -> bool:
    """Tell whether a cell's answers are its own: its model thinks otherwise, or holds its weights in few bits."""
    if cell.record is None:
        return False
    if cell.record.in_few_bits:
        return True
    own, protocol = cell.record.serving_settings.get("thinking"), (cell.record.protocol or {}).get("thinking", "free")
    return own is not None and own != protocol


def _timed_as(cell: Result, other: Result | None) -> Result:
    """Return a cell with another's clocks and memory; without figures where that failed or is of other weights."""
    if other is None or other.record is None or other.record.error or cell.record is None or cell.source is None:
        return replace(cell, quality=None, latency=None, source=None)
    if other_weights(other, cell):
        return replace(cell, quality=None, latency=None, source=None)
    if answers_otherwise(other):
        return replace(other, serving=EAGER, source=_with_clocks(other, other))
    taken = {"peak_memory_bytes": other.record.peak_memory_bytes, "readings": other.record.readings}
    record = cell.record.model_copy(update=taken)
    return replace(cell, latency=other.latency, record=record, source=_with_clocks(cell, other), paced=other.paced)


def _with_clocks(cell: Result, other: Result) -> Any:
    """Return a cell's table of rows with another's seconds, null where it did not ask, and what it wrote in them.

    An answer that is not word for word eager's may be longer, and its seconds are those of its own tokens.
    """
    import pyarrow as pa

    mine, theirs = cell.table, other.table
    timed = theirs.filter(theirs["seconds"].is_valid()).to_pylist()[:: calls_of(other)]
    clocks = {row["example"]: row for row in timed}
    for name in CLOCKS:
        column = [clocks.get(example, {}).get(name) for example in mine["example"].to_pylist()]
        mine = mine.set_column(mine.column_names.index(name), name, pa.array(column, pa.float64()))
    for name in WRITTEN:
        rows = zip(mine["example"].to_pylist(), mine[name].to_pylist(), strict=True)
        written = [clocks.get(example, {}).get(name, own) for example, own in rows]
        mine = mine.set_column(mine.column_names.index(name), name, pa.array(written, mine[name].type))
    return mine
