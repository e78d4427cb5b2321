"""Results that others published as a table: the paper's Table 1, or any CSV of its shape."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

from tunescale_core.errors import ResultsError
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.result import Result
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS

TASK_COLUMNS = {
    "arc": ("arc_f1", "arc_lat"),
    "openmath": ("math_absdiff", "math_lat"),
    "squad_v2": ("squad_f1", "squad_lat"),
}
"""Of each task, the columns of its quality and of its mean latency in seconds."""
NAMES = ("base", "method", "rank", "trained_on")
UNTUNED = ("none", "")
_RANK = re.compile(r"0*[1-9]\d{0,5}")
_NUMBER = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?([eE][-+]?\d{1,3})?|[-+]?\.\d+([eE][-+]?\d{1,3})?")
"""Commas only where thousands end, so that a decimal comma is not taken for one."""
SHIPPED = (Path(__file__).parents[1] / "baselines", Path(__file__).parents[2] / "benchmarks" / "baselines")
"""Where reference tables are found by name: in an installed package, and in a clone."""


def read_table(path: Path) -> Results:
    """Read a table of the paper's shape: `base,method,rank,trained_on` and two columns a task.

    `method` is base, full or lora; `rank` is given for lora alone; `trained_on` is a task, or none. A task whose
    columns are missing is left out, and so is an empty figure.

    Raises:
        ResultsError: The file cannot be read, lacks a column, or a row is not of this form; the line is named.
    """
    columns, rows = _read(path)
    tasks = [task for task, pair in TASK_COLUMNS.items() if set(pair) <= set(columns)]
    missing = [name for name in NAMES if name not in columns]
    if missing or not tasks:
        wanted = ", ".join(missing) or " or ".join(" and ".join(pair) for pair in TASK_COLUMNS.values())
        raise ResultsError(f"table {path} lacks the column {wanted}; see benchmarks/baselines/paper_table1.csv")
    cells: list[Result] = []
    for line, row in rows:
        where = f"table {path} line {line}"
        found = list(_cells(where, row, tasks))
        known = {(one.candidate, one.task) for one in cells}
        for cell in found:
            if (cell.candidate, cell.task) in known:
                raise ResultsError(f"{where}: {cell.candidate.id} for {cell.task} comes twice; leave one out")
        cells += found
    if not cells:
        raise ResultsError(f"table {path} has no figures")
    return Results(tuple(cells), str(path))


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return a CSV's columns, and its rows with the line that each ends on."""
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            columns = [name.strip() for name in next(reader, [])]
            for cells in reader:
                if len(cells) > len(columns):
                    raise ResultsError(
                        f"table {path} line {reader.line_num}: {len(cells)} cells under {len(columns)} columns; "
                        "quote a figure that has commas in it"
                    )
                if cells:
                    padded = [*cells, *[""] * (len(columns) - len(cells))]  # spreadsheets leave trailing cells out
                    rows.append((reader.line_num, dict(zip(columns, padded, strict=True))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"table {path} cannot be read: {error}") from error
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise ResultsError(f"table {path} has the column {twice[0]!r} twice; leave one out")
    return columns, rows


def reference(name: str) -> Results:
    """Return a table that ships with TuneScale: `paper`; or one from a file.

    Raises:
        ResultsError: There is none of that name.
    """
    for folder in SHIPPED:
        if (folder / f"{name}_table1.csv").is_file():
            return read_table(folder / f"{name}_table1.csv")
    if name.endswith(".csv") and Path(name).is_file():
        return read_table(Path(name))
    raise ResultsError(f"no reference {name!r}: give paper, or the path of a CSV in the form of its table")


def _cells(where: str, row: dict[str, str], tasks: list[str]) -> Iterator[Result]:
    candidate = _candidate(where, row)
    for task in tasks:
        quality, latency = (_figure(where, column, row[column]) for column in TASK_COLUMNS[task])
        if latency is not None and latency <= 0:
            raise ResultsError(f"{where}: {TASK_COLUMNS[task][1]} must be more than 0 seconds, got {latency:g}")
        if quality is not None or latency is not None:
            yield Result(candidate, task, TASKS[task].primary, quality, latency, kind=task)


def _candidate(where: str, row: dict[str, str]) -> Candidate:
    model, method, rank, trained = (row[name].strip() for name in NAMES)
    if not model:
        raise ResultsError(f"{where}: base is empty: name the model")
    if method not in {"base", "full", "lora"}:
        raise ResultsError(f"{where}: method must be base, full or lora, got {method!r}")
    if (trained in UNTUNED) != (method == "base"):
        raise ResultsError(f"{where}: trained_on {trained!r} does not go with method {method}")
    if method != "base" and trained not in TASK_COLUMNS:
        raise ResultsError(f"{where}: trained_on must be one of {', '.join(TASK_COLUMNS)}, got {trained!r}")
    if (method == "lora") != bool(_RANK.fullmatch(rank)) or (method != "lora" and rank):
        raise ResultsError(f"{where}: rank must be a whole number for lora and empty otherwise, got {rank!r}")
    if method == "base":
        return Candidate(model, "base")
    return Candidate(model, f"lora-r{int(rank)}" if rank else method, trained, int(rank) if rank else None)


def _figure(where: str, column: str, text: str) -> float | None:
    text = text.strip()
    if not text:
        return None
    value = float(text.replace(",", "")) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise ResultsError(f"{where}: {column} must be a number, got {text!r}")
    return value
