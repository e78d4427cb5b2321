"""Tables from records: the study's Table 1 and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from tabulate import tabulate

from tunescale_core.records import Record
from tunescale_core.tasks import TASKS, Metric

Bold = Callable[[str], str]
Best = Callable[[Sequence[float]], float]
MISSING = "–"
Entry = tuple[str, str, str, str, int | None]
"""One row of a table: training task, model, method, rank and seed."""


def plain(text: str) -> str:
    """Leave text as it is: for where there is no bold."""
    return text


def quality_table(records: Sequence[Record], bold: Bold = plain) -> str:
    """Return Table 1: a block per training task, quality and mean latency a task, each block's best in bold."""
    heads = ["model", "method", *(head for task in _tasks(records) for head in _quality_heads(records, task))]
    return _blocks(records, heads, _quality_cells, bold)


def output_table(records: Sequence[Record]) -> str:
    """Return what Table 1 leaves out: output tokens and parse rate a task, and training seconds."""
    heads = ["model", "method"]
    heads += [head for task in _tasks(records) for head in (f"{task}\ntokens", f"{task}\nparsed")]
    return _blocks(records, [*heads, "training\nseconds"], _output_cells, plain)


def _tasks(records: Iterable[Record]) -> list[str]:
    return list(dict.fromkeys(record.task for record in records))


def _metric(records: Iterable[Record], task: str) -> Metric:
    return TASKS[next(record.kind for record in records if record.task == task)].primary


def _quality_heads(records: Sequence[Record], task: str) -> tuple[str, str]:
    metric = _metric(records, task)
    return f"{task}\n{metric.label} {metric.arrow}", "\ns ↓"


def _blocks(
    records: Sequence[Record],
    heads: list[str],
    cells_of: Callable[[Sequence[Record], list[list[Record]], Bold], list[list[str]]],
    bold: Bold,
) -> str:
    """Lay rows out in blocks, a block a training task and untuned models last."""
    lines: list[list[str]] = []
    trainings = list(dict.fromkeys([*_tasks(records), *(record.trained_on for record in records)]))
    ordered = sorted(records, key=lambda r: (r.trained_on is None, trainings.index(r.trained_on)))
    for trained, block in groupby(ordered, key=lambda record: record.trained_on):
        rows = _rows(list(block))
        title = f"trained on {trained}" if trained else "untuned"
        lines.append([title, *[""] * (len(heads) - 1)])
        lines += cells_of(records, rows, bold)
    return tabulate(lines, heads, tablefmt="simple", disable_numparse=True, colalign=_alignment(len(heads)))


def _alignment(columns: int) -> tuple[str, ...]:
    return ("left", "left", *["right"] * (columns - 2))


def _rows(block: list[Record]) -> list[list[Record]]:
    found: dict[tuple[str, str, int | None], list[Record]] = {}
    for record in block:
        found.setdefault((record.model, record.method, record.seed), []).append(record)
    return list(found.values())


def _labels(records: Sequence[Record], row: list[Record]) -> list[str]:
    seeds = {record.seed for record in records if record.seed is not None}
    seed = f" s{row[0].seed}" if len(seeds) > 1 and row[0].seed is not None else ""
    return [f"  {row[0].model}", row[0].method + seed]


def _quality_cells(records: Sequence[Record], rows: list[list[Record]], bold: Bold) -> list[list[str]]:
    table = [_labels(records, row) for row in rows]
    for task in _tasks(records):
        metric = _metric(records, task)
        cells = [next((record for record in row if record.task == task), None) for row in rows]
        quality = [cell.metrics.get(metric.name) if cell else None for cell in cells]
        latency = [cell.mean_latency if cell else None for cell in cells]
        _append(table, quality, metric.digits, max if metric.better == "higher" else min, bold)
        _append(table, latency, 4, min, bold)
    return table


def _append(table: list[list[str]], values: list[float | None], digits: int, best_of: Best, bold: Bold) -> None:
    shown = [MISSING if value is None else f"{value:.{digits}f}" for value in values]
    known = [value for value in values if value is not None]
    best = None if not known else f"{best_of(known):.{digits}f}"
    for line, text in zip(table, shown, strict=True):
        line.append(bold(text) if text == best else text)


def _output_cells(records: Sequence[Record], rows: list[list[Record]], _: Bold) -> list[list[str]]:
    table = [_labels(records, row) for row in rows]
    for task in _tasks(records):
        for line, row in zip(table, rows, strict=True):
            cell = next((record for record in row if record.task == task), None)
            tokens = cell.mean_tokens if cell else None
            parsed = cell.metrics.get("parse_rate") if cell else None
            line.append(MISSING if tokens is None else f"{tokens:.1f}")
            line.append(MISSING if parsed is None else f"{parsed:.0%}")
    for line, row in zip(table, rows, strict=True):
        line.append(MISSING if row[0].cost is None else f"{row[0].cost.seconds:.1f}")
    return table
