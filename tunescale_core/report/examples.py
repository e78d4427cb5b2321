"""Which examples the page shows: a fixed sample a task, as many as fit, several candidates side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunescale_core.records.lines import SCORE, read_rows
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.result import Result
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS
from tunescale_core.tasks.reasoning import reasoning

BUDGET = 8_000_000
"""Characters of examples on the page, all tasks together."""
MOST = 60
"""Examples a task, at most."""
WIDEST = 24
"""Candidates an example is shown for, at most."""
COLUMNS = ("example", "prompt", "gold", "text", "answer", "tokens", "reasoning_tokens", "finish", "seconds")
LONGEST = 6000
"""Characters of a text that are kept."""


@dataclass(frozen=True)
class Sample:
    """A task's examples for the page, as plain values."""

    task: str
    total: int
    """Examples that the study asked."""
    candidates: tuple[str, ...]
    """Shown, of `measured`."""
    measured: int
    examples: tuple[dict[str, Any], ...]


def samples(results: Results, budget: int = BUDGET) -> tuple[Sample, ...]:
    """Return each task's sample: examples spread evenly over the data, until the budget is spent."""
    share = budget // max(1, len(results.tasks))
    found = [_sample(results, task, share) for task in results.tasks]
    return tuple(one for one in found if one is not None)


def _sample(results: Results, task: str, budget: int) -> Sample | None:
    told = [[cell for cell in results.at(one, task) if cell.source is not None] for one in results.candidates]
    cells = [each[0] for each in told if each]
    if not cells:
        return None
    chosen = _chosen(results, cells)
    tables = [_table(cell) for cell in chosen]
    total = tables[0].num_rows
    places = _spread(total, MOST)
    found: list[dict[str, Any]] = []
    spent = 0
    for place in places:
        example = _example(chosen, tables, place)
        spent += _size(example)
        if spent > budget and found:
            break
        found.append(example)
    return Sample(task, total, tuple(cell.candidate.id for cell in chosen), len(cells), tuple(found))


def _chosen(results: Results, cells: list[Result]) -> list[Result]:
    """Keep the untuned models and those tuned on the task first, the best of the rest after, `WIDEST` in all."""
    task = cells[0].task
    sign = -results.metric(task).sign

    def merit(cell: Result) -> tuple[bool, bool, float]:
        one: Candidate = cell.candidate
        quality = float("inf") if cell.quality is None else sign * cell.quality
        return (one.tuned, one.trained_on != task, quality)

    kept = sorted(cells, key=merit)[:WIDEST]
    return [cell for cell in cells if cell in kept]


def _table(cell: Result) -> Any:
    judged = SCORE + TASKS[cell.kind].judged
    return read_rows(cell.source, [*COLUMNS, judged]) if isinstance(cell.source, Path) else cell.source


def _spread(total: int, most: int) -> list[int]:
    """Return up to `most` places, evenly over `total`."""
    number = min(total, most)
    return [place * total // number for place in range(number)]


def _example(cells: list[Result], tables: list[Any], place: int) -> dict[str, Any]:
    first = tables[0].slice(place, 1).to_pylist()[0]
    answers = []
    for cell, table in zip(cells, tables, strict=True):
        same = place < table.num_rows and table["example"][place].as_py() == first["example"]
        if same:
            answers.append(_answer(cell, table.slice(place, 1).to_pylist()[0]))
    return {"id": first["example"], "prompt": first["prompt"][:LONGEST], "gold": first["gold"], "answers": answers}


def _answer(cell: Result, row: dict[str, Any]) -> dict[str, Any]:
    judge = TASKS[cell.kind].metric(TASKS[cell.kind].judged)
    text = row["text"][:LONGEST]
    thought = reasoning(text)
    return {
        "candidate": cell.candidate.id,
        "model": cell.candidate.model,
        "method": cell.candidate.method,
        "answer": row["answer"],
        "text": text,
        "thought": thought,
        "tokens": row["tokens"],
        "seconds": row["seconds"],
        "finish": row["finish"],
        "score": _number(row[SCORE + TASKS[cell.kind].judged]),
        "judge": judge.label if judge else "",
    }


def _number(value: float | None) -> float | None:
    """Return a score, or None of one that is no number: the page's data are JSON."""
    return value if value is not None and math.isfinite(value) else None


def _size(example: dict[str, Any]) -> int:
    return len(example["prompt"]) + sum(len(one["text"]) + len(one["thought"]) + 200 for one in example["answers"])
