"""`tunescale advise`: what to ship under constraints."""

from __future__ import annotations

from typing import Annotated

import typer

from tunescale_core.cli.constrained import StudyOption, asked_by, by_task
from tunescale_core.cli.sources import PublishedTable, RecordsFolder, one_line_errors, read, records_folder
from tunescale_core.plain_json import dumps


def advise(  # noqa: PLR0913, PLR0917  an option a constraint
    records: RecordsFolder = None,
    table: PublishedTable = None,
    maximise: Annotated[
        str | None, typer.Option(help="TASK:METRIC to optimise (default: that of the first --min).")
    ] = None,
    minimum: Annotated[
        list[str] | None, typer.Option("--min", help="TASK:METRIC=VALUE that must be reached; may be repeated.")
    ] = None,
    max_latency: Annotated[
        str | None, typer.Option(help="Most time a call may take: seconds, or for example 250ms.")
    ] = None,
    latency_stat: Annotated[
        str | None, typer.Option(help="What of the calls must keep to it: mean, median, p95 or p99.")
    ] = None,
    max_memory: Annotated[str | None, typer.Option(help="Most peak memory while generating, for example 8GiB.")] = None,
    serving: Annotated[
        str | None, typer.Option(help="Way of serving whose latency and memory count; any: choose the way too.")
    ] = None,
    max_cost: Annotated[
        str | None, typer.Option(help="Most device time of training: seconds, or for example 90m, 2h.")
    ] = None,
    study: StudyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,  # noqa: FBT002
) -> None:
    """Say which candidate to ship under constraints, how sure that is, and what to run where it is not.

    Without a limit, a bar or --maximise, the constraints are those that the study's last run had.

    Exits with 1 where nothing that was measured surely keeps to the constraints, or where what does is flagged or no
    better than answering without looking.
    """
    from tunescale_core.advice.constraints import (
        constraints_of,
        parse_duration,
        parse_latency,
        parse_memory,
        parse_minimum,
        parse_stat,
    )
    from tunescale_core.advice.counsel import counsel
    from tunescale_core.advice.shown import as_object, as_text
    from tunescale_core.study.constraints import Deployment

    with one_line_errors():
        results = read(records, table)
        options = {
            "maximise": maximise,
            "min": by_task([parse_minimum(results, text) for text in minimum or ()]) or None,
            "max_latency": None if max_latency is None else parse_latency(max_latency),
            "latency_stat": None if latency_stat is None else parse_stat(latency_stat),
            "max_memory": None if max_memory is None else parse_memory(max_memory),
            "max_cost": None if max_cost is None else parse_duration(max_cost),
            "serving": serving,
        }
        asked = asked_by(options, study, None if table else records_folder(records)) or Deployment()
        found = counsel(results, constraints_of(results, asked))
    typer.echo(dumps(as_object(found)) if as_json else as_text(found))
    if not found.ships:
        raise typer.Exit(1)  # what ships by a script must not ship then
