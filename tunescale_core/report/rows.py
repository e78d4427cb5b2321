"""A study's examples as one CSV, a row an example of a cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

from tunescale_core.records.lines import SCORE, read_rows
from tunescale_core.results.result import Result
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS

CELL = ("model", "method", "trained_on", "seed", "task", "serving")


def write_csv(results: Results, out: IO[bytes]) -> None:
    """Write every cell's rows, a cell at a time: the cell's own columns first, several accepted answers as JSON."""
    import pyarrow.csv as pa_csv

    scores = sorted({name for cell in results.cells for name in _scores(cell)})
    for number, cell in enumerate(cell for cell in results.cells if cell.source is not None):
        options = pa_csv.WriteOptions(include_header=number == 0)
        pa_csv.write_csv(_flat(cell, scores), out, options)


def _scores(cell: Result) -> list[str]:
    """Return which score columns a cell has: its task's metrics."""
    return [SCORE + metric.name for metric in TASKS[cell.kind].metrics]


def _flat(cell: Result, scores: list[str]) -> Any:
    import pyarrow as pa

    table = read_rows(cell.source) if isinstance(cell.source, Path) else cell.source
    n = table.num_rows
    one = cell.candidate
    own = dict(zip(CELL, (one.model, one.method, one.trained_on, cell.seed, cell.task, cell.serving), strict=True))
    columns: dict[str, Any] = {
        name: pa.array([value] * n, pa.int64() if name == "seed" else pa.string()) for name, value in own.items()
    }
    for name in table.column_names:
        if name == "gold":
            columns[name] = pa.array([json.dumps(gold, ensure_ascii=False) for gold in table[name].to_pylist()])
        elif not name.startswith(SCORE):
            columns[name] = table[name]
    for name in scores:
        columns[name] = table[name] if name in table.column_names else pa.nulls(n, pa.float64())
    return pa.table(columns)
