"""`tunescale score`: a file of answers, scored as completions are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from tunescale_core.cli.sources import fail, one_line_errors
from tunescale_core.tasks import TASKS


def score(
    task: Annotated[str, typer.Argument(help=f"One of {', '.join(TASKS)}.")],
    data: Annotated[Path, typer.Option(help="JSON, JSONL, CSV or Parquet in the data set's own columns.")],
    predictions: Annotated[Path, typer.Option(help="JSON: example id to text, as SQuAD lays it out.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,  # noqa: FBT002
) -> None:
    """Score a file of answers with the code that scores completions."""
    from tunescale_core.scoring import score_file

    if task not in TASKS:
        fail(f"no task {task!r}; known are {', '.join(TASKS)}")
    with one_line_errors():
        figures = score_file(TASKS[task], data, predictions)
    typer.echo(json.dumps(figures, indent=1) if as_json else tabulate(_lines(figures), disable_numparse=True))


def _lines(figures: dict[str, object]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [(f"  {reason}", str(count)) for reason, count in value.items()]
        else:
            lines.append((name, f"{value:.4f}" if isinstance(value, float) else str(value)))
    return lines
