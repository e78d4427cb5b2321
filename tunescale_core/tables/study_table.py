"""Table 1, the study's whole grid, and what stands beside it: output and training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from tunescale_core.results.candidate import Candidate
from tunescale_core.results.result import Result
from tunescale_core.results.results import Results
from tunescale_core.results.trivial import trivial_quality, trivial_rule
from tunescale_core.tables.cut_short import cut_short
from tunescale_core.tables.passed_over import passed_over
from tunescale_core.tables.table import MISSING, Block, Column, Entry, Row, Table, block, number, quality, share, words
from tunescale_core.tables.timed_beside import timed_beside

if TYPE_CHECKING:
    from tunescale_core.store.manifest import TrainingCost

Rows = list[Row]
Label = tuple[Candidate, int | None]
"""A row of Table 1: a candidate, and one of its seeds where the study has several."""
MODEL = (Column("model", words=True), Column("method", words=True))


def table1(results: Results) -> Table:
    """Return the full grid: a block per training task, quality and mean latency a task; what needs no model last."""
    columns = [*MODEL, *(column for task in results.tasks for column in _quality_columns(results, task))]
    blocks = [block(title, columns, rows) for title, rows in _blocks(results, _quality_entries)]
    floor = _trivial_block(results)
    rules = ", ".join(f"{trivial_rule(results, task)} for {task}" for task in results.tasks)
    notes = (*([f"trivial: {rules}"] if floor else []), *timed_beside(results.cells), *cut_short(results.cells))
    return Table("table1", "Table 1: quality and latency", tuple(columns), (*blocks, *floor), notes)


def output_table(results: Results) -> Table:
    """Return what Table 1 leaves out: output tokens and parse rate a task, what training took, what was passed over."""
    columns = [*MODEL]
    for task in results.tasks:
        columns += [Column("tokens", task), Column("parsed", task)]
    columns += [Column(name, "training") for name in ("seconds", "steps", "first loss", "last loss")]
    blocks = [Block(title, tuple(rows)) for title, rows in _blocks(results, _output_entries)]
    records = [cell.record for cell in (*results.cells, *results.served) if cell.record is not None]
    return Table("outputs", "Output and training", tuple(columns), tuple(blocks), tuple(passed_over(records)))


def _trivial_block(results: Results) -> list[Block]:
    values = {task: trivial_quality(results, task) for task in results.tasks}
    if not any(value is not None for value in values.values()):
        return []
    entries = [[quality(results.metric(task), value), Entry(MISSING)] for task, value in values.items()]
    row = Row("trivial", (words(MISSING), words("trivial"), *chain.from_iterable(entries)))
    return [Block("no model", (row,))]


def _quality_columns(results: Results, task: str) -> tuple[Column, Column]:
    metric = results.metric(task)
    return Column(metric.label, task, metric.better), Column("s", task, "lower")


def _blocks(results: Results, entries: Callable[[Results, Label], list[Entry]]) -> Iterator[tuple[str, Rows]]:
    """Yield titles and rows, a block a training task and untuned models last."""
    several = len({cell.seed for cell in results.cells if cell.seed is not None}) > 1
    blocks: dict[str, Rows] = {}
    for candidate in results.candidates:
        title = f"trained on {candidate.trained_on}" if candidate.tuned else "untuned"
        for seed in _seeds(results, candidate):
            named = f"{candidate.method} s{seed}" if several and seed is not None else candidate.method
            row = (words(candidate.model), words(named), *entries(results, (candidate, seed)))
            blocks.setdefault(title, []).append(Row(results.label(candidate), row, candidate.model, candidate.method))
    yield from blocks.items()


def _seeds(results: Results, candidate: Candidate) -> list[int | None]:
    return list(dict.fromkeys(cell.seed for task in results.tasks for cell in results.at(candidate, task)))


def _cell(results: Results, label: Label, task: str) -> Result | None:
    return next((cell for cell in results.at(label[0], task) if cell.seed == label[1]), None)


def _quality_entries(results: Results, label: Label) -> list[Entry]:
    entries = []
    for task in results.tasks:
        cell = _cell(results, label, task)
        entries += [quality(results.metric(task), cell.quality if cell else None)]
        entries += [number(cell.latency if cell else None, 4)]
    return entries


def _output_entries(results: Results, label: Label) -> list[Entry]:
    entries = []
    cost = None
    for task in results.tasks:
        cell = _cell(results, label, task)
        record = cell.record if cell else None
        cost = record.cost if record and record.cost else cost
        entries += [number(record.summary.tokens if record and record.summary else None, 1)]
        entries += [share(cell.metric_value("parse_rate") if cell else None)]
    return [*entries, *_training_entries(cost)]


def _training_entries(cost: TrainingCost | None) -> list[Entry]:
    if cost is None:
        return [Entry(MISSING)] * 4
    losses = [number(loss, 3) for _, loss in cost.losses] or [Entry(MISSING)]
    return [number(cost.seconds, 1), number(cost.steps, 0), losses[0], losses[-1]]
