"""`tunescale advise`: what to ship under constraints."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tunescale_core.cli.sources import PublishedTable, RecordsFolder, one_line_errors, read
from tunescale_core.study.serving import EAGER


def advise(  # noqa: PLR0913, PLR0917  an option a constraint
    records: RecordsFolder = None,
    table: PublishedTable = None,
    maximise: Annotated[
        str | None, typer.Option(help="TASK:METRIC to make as good as can be (default: the first --min).")
    ] = None,
    minimum: Annotated[
        list[str] | None, typer.Option("--min", help="TASK:METRIC=VALUE that must be reached; may be repeated.")
    ] = None,
    max_latency: Annotated[float | None, typer.Option(help="Seconds of one call.")] = None,
    latency_stat: Annotated[str, typer.Option(help="mean, median, p95 or p99.")] = "mean",
    max_memory: Annotated[str | None, typer.Option(help="Peak memory while generating, as 8GiB.")] = None,
    serving: Annotated[
        str, typer.Option(help="The way of serving whose latency and memory count; any: choose the way too.")
    ] = EAGER,
    max_cost: Annotated[str | None, typer.Option(help="Device time of training: seconds, or as 90m, 2h.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,  # noqa: FBT002
) -> None:
    """Say which candidate to ship under constraints, how sure that is, and what to run where it is not.

    Exits with 1 where nothing that was measured surely keeps to the constraints, or where what does is flagged or no
    better than answering without looking.
    """
    from tunescale_core.advice.constraints import (
        Constraints,
        checked_latency,
        objective_of,
        parse_duration,
        parse_memory,
        parse_minimum,
        parse_stat,
    )
    from tunescale_core.advice.counsel import counsel
    from tunescale_core.advice.shown import as_object, as_text

    with one_line_errors():
        results = read(records, table)
        bars = tuple(parse_minimum(results, text) for text in minimum or ())
        constraints = Constraints(
            objective_of(results, maximise, bars),
            bars,
            checked_latency(max_latency),
            parse_stat(latency_stat),
            None if max_memory is None else parse_memory(max_memory),
            None if max_cost is None else parse_duration(max_cost),
            serving,
        )
        found = counsel(results, constraints)
    typer.echo(json.dumps(as_object(found), indent=1) if as_json else as_text(found))
    if not found.ships:
        raise typer.Exit(1)  # what ships by a script must not ship then
