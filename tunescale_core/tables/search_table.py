"""Which learning rates were tried, and which was chosen."""

from __future__ import annotations

from math import isfinite

from tunescale_core.records.best_trial import best_of
from tunescale_core.records.record import Trial
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.results import Results
from tunescale_core.tables.table import Block, Column, Entry, Row, Table, number, words
from tunescale_core.tasks import TASKS


def search_table(results: Results) -> Table:
    """Return a row a method and a trial of it: what the development questions said of each learning rate."""
    columns = (
        Column("method", words=True),
        Column("learning rate"),
        Column("figure"),
        Column("on dev", words=True),
        Column("loss"),
        Column("steps"),
        Column("s"),
        Column("chosen", words=True),
    )
    blocks = []
    for task in dict.fromkeys(one.trained_on for one in results.candidates if one.trained_on):
        rows = [row for one in results.candidates if one.trained_on == task for row in _rows(results, one)]
        if rows:
            blocks.append(Block(f"tuned on {task}", tuple(rows)))
    notes = ["a trial a rate, each with as many rows and questions; the questions are never evaluated"]
    without = dict.fromkeys(f"{one.model}-{one.method}" for one in results.candidates if _is_unsearched(results, one))
    if blocks and without:
        notes.append(f"without trials, at the one rate that the study gives: {', '.join(without)}")
    return Table("search", "Learning rates tried", columns, tuple(blocks), tuple(notes))


def _is_unsearched(results: Results, one: Candidate) -> bool:
    records = [cell.record for task in results.tasks for cell in results.at(one, task) if cell.record]
    return one.tuned and bool(records) and not any(record.trials for record in records)


def _rows(results: Results, one: Candidate) -> list[Row]:
    cells = [cell for task in results.tasks for cell in results.at(one, task) if cell.record and cell.record.trials]
    if not cells or cells[0].record is None:
        return []
    trials = cells[0].record.trials
    own = next((cell for cell in cells if cell.task == one.trained_on), cells[0])
    chosen = best_of(trials, TASKS[own.kind])
    return [
        Row(
            f"{results.label(one)} {trial.learning_rate:g}",
            _entries(one, trial, trial == chosen),
            one.model,
            one.method,
        )
        for trial in trials
    ]


def _entries(one: Candidate, trial: Trial, chosen: bool) -> tuple[Entry, ...]:  # noqa: FBT001
    return (
        words(f"{one.model}-{one.method}"),
        Entry(f"{trial.learning_rate:g}", trial.learning_rate),
        number(trial.score, 3),
        words(trial.metric),
        number(trial.loss if isfinite(trial.loss) else None, 3),
        number(trial.steps, 0),
        number(trial.seconds, 1),
        words("lost" if trial.lost else "yes" if chosen else ""),
    )
