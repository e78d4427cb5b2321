"""Results that others published as a table: the paper's Table 1, or any CSV of its shape."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from tunescale_core.errors import ResultsError
from tunescale_core.results import Candidate, Result, Results, check_distinct
from tunescale_core.tasks import TASKS

TASK_COLUMNS = {
    "arc": ("arc_f1", "arc_lat"),
    "openmath": ("math_absdiff", "math_lat"),
    "squad_v2": ("squad_f1", "squad_lat"),
}
"""Of each task, the columns of its quality and of its mean latency in seconds."""
NAMES = ("base", "method", "rank", "trained_on")
UNTUNED = ("none", "")
SHIPPED = (Path(__file__).parent / "baselines", Path(__file__).parent.parent / "benchmarks" / "baselines")
"""Where reference tables are found by name: in an installed package, and in a clone."""


def read_table(path: Path) -> Results:
    """Read a table of the paper's shape: `base,method,rank,trained_on` and two columns a task.

    `method` is base, full or lora; `rank` is given for lora alone; `trained_on` is a task, or none. A task whose
    columns are missing is left out, and so is an empty figure.

    Raises:
        ResultsError: The file cannot be read, lacks a column, or a row is not of this form; the line is named.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"table {path} cannot be read: {error}") from error
    tasks = [task for task, pair in TASK_COLUMNS.items() if set(pair) <= set(columns)]
    missing = [name for name in NAMES if name not in columns]
    if missing or not tasks:
        wanted = ", ".join(missing) or " or ".join(" and ".join(pair) for pair in TASK_COLUMNS.values())
        raise ResultsError(f"table {path} lacks the column {wanted}; see benchmarks/baselines/paper_table1.csv")
    cells = tuple(cell for line, row in enumerate(rows, 2) for cell in _cells(f"table {path} line {line}", row, tasks))
    if not cells:
        raise ResultsError(f"table {path} has no figures")
    check_distinct(cells)
    return Results(cells, str(path))


def reference(name: str) -> Results:
    """Return a table that ships with TuneScale: `paper`; or one from a file.

    Raises:
        ResultsError: There is none of that name.
    """
    for folder in SHIPPED:
        if (folder / f"{name}_table1.csv").is_file():
            return read_table(folder / f"{name}_table1.csv")
    if Path(name).is_file():
        return read_table(Path(name))
    raise ResultsError(f"no reference {name!r}: give paper, or the path of a CSV in the form of its table")


def _cells(where: str, row: dict[str, str | None], tasks: list[str]) -> Iterator[Result]:
    candidate = _candidate(where, row)
    for task in tasks:
        quality, latency = (_figure(where, column, row[column]) for column in TASK_COLUMNS[task])
        if latency is not None and latency <= 0:
            raise ResultsError(f"{where}: {TASK_COLUMNS[task][1]} must be more than 0 seconds, got {latency:g}")
        if quality is not None or latency is not None:
            yield Result(candidate, task, TASKS[task].primary, quality, latency, kind=task)


def _candidate(where: str, row: dict[str, str | None]) -> Candidate:
    model, method, rank, trained = ((row[name] or "").strip() for name in NAMES)
    if not model:
        raise ResultsError(f"{where}: base is empty: name the model")
    if method not in {"base", "full", "lora"}:
        raise ResultsError(f"{where}: method must be base, full or lora, got {method!r}")
    if (trained in UNTUNED) != (method == "base"):
        raise ResultsError(f"{where}: trained_on {trained!r} does not go with method {method}")
    if method != "base" and trained not in TASKS:
        raise ResultsError(f"{where}: trained_on must be one of {', '.join(TASKS)}, got {trained!r}")
    if (method == "lora") != rank.isdecimal() or (rank.isdecimal() and int(rank) < 1):
        raise ResultsError(f"{where}: rank must be a whole number for lora and empty otherwise, got {rank!r}")
    if method == "base":
        return Candidate(model, "base")
    return Candidate(model, f"lora-r{rank}" if rank else method, trained, int(rank) if rank else None)


def _figure(where: str, column: str, text: str | None) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ResultsError(f"{where}: {column} must be a number, got {text!r}")
    return value
