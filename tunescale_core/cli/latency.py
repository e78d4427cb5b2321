"""`tunescale latency`: why one candidate is faster than another."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from tabulate import tabulate

from tunescale_core.cli.sources import RecordsFolder, fail, one_line_errors, read
from tunescale_core.plain_json import dumps


def latency(
    new: Annotated[str, typer.Argument(help="A candidate, for example mini-small-full-on-arc.")],
    old: Annotated[str, typer.Argument(help="The candidate to compare it with, for example mini-large-base.")],
    records: RecordsFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,  # noqa: FBT002
) -> None:
    """Split the ratio of two candidates' mean latencies on each task: output length, time per token, first token."""
    from tunescale_core.results.drift import drift_of
    from tunescale_core.results.latency import splits
    from tunescale_core.tables.drifting import drift_noted
    from tunescale_core.tables.timed_beside import timed_beside

    with one_line_errors():
        results = read(records, None)
        found = splits(results, new, old)
    if not found:
        fail(f"{new} and {old} were not both timed on any task: run both, or see timed_examples")
    drift = drift_of(results.cells)
    sides = [cell for cell in results.cells if cell.candidate.id in {new, old} and cell.task in found]
    loads = list(timed_beside(sides))
    if as_json:
        beside = {"drift": drift.figures if drift else None, "beside": loads}
        typer.echo(dumps({task: asdict(one) | {"sentence": one.sentence} | beside for task, one in found.items()}))
        return
    heads = ["asked", "latency ×", "length ×", "pace ×", "first ×", "tokens", "ms a token", "reasons", "truncated"]
    rows = [[task, *one.factors, *one.both] for task, one in found.items()]
    typer.echo(tabulate(rows, heads, disable_numparse=True, colalign=("left", *["right"] * 8)))
    typer.echo(f"(two figures are {new} and {old}; length × pace × first = latency)")
    for told in (*drift_noted(drift), *loads):
        typer.echo(f"({told})")
