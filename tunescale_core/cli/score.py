"""`tunescale score`: a file of answers, scored as completions are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from tunescale_core.cli.sources import fail, one_line_errors
from tunescale_core.plain_json import dumps
from tunescale_core.tasks import TASKS


def score(
    task: Annotated[str, typer.Argument(help="A task by name, or one of the study's with --study.")],
    data: Annotated[Path, typer.Option(help="Rows as JSON, JSONL, CSV or Parquet, in the data set's own columns.")],
    predictions: Annotated[
        Path,
        typer.Option(help="Answers as JSON: an object from example id to text, or an array with one text per row."),
    ],
    study: Annotated[
        str | None, typer.Option(help="The study that declares the task, with the columns it reads.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,  # noqa: FBT002
) -> None:
    """Score a file of answers with the code that scores completions."""
    from tunescale_core.measuring.scoring import score_file

    with one_line_errors():
        kind, columns = (task, {}) if study is None else _of_study(study, task)
        figures = score_file(TASKS[kind], data, predictions, columns)
    typer.echo(dumps(figures) if as_json else tabulate(_lines(figures), disable_numparse=True))


def _of_study(study: str, task: str) -> tuple[str, dict[str, str]]:
    """Return which task a study's is, and what its columns are read from."""
    from tunescale_core.study.loading import load

    tasks = load(study).tasks
    if task not in tasks:
        fail(f"study {study} has no task {task!r}; it has {', '.join(tasks)}")
    return tasks[task].task or task, tasks[task].columns


def _lines(figures: dict[str, object]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [(f"  {reason}", str(count)) for reason, count in value.items()]
        else:
            lines.append((name, f"{value:.4f}" if isinstance(value, float) else str(value)))
    return lines
