"""`tunescale report`: the tables in any format, or one page with everything."""

from __future__ import annotations

from typing import Annotated

import typer

from tunescale_core.cli.sources import PublishedTable, RecordsFolder, fail, one_line_errors, read


def report(
    records: RecordsFolder = None,
    table: PublishedTable = None,
    form: Annotated[str, typer.Option("--format", help="terminal, markdown, latex, csv or json.")] = "terminal",
    reference: Annotated[
        str | None, typer.Option(help="Show these figures beside: paper, or a CSV in its form.")
    ] = None,
    ties: Annotated[str, typer.Option(help="How the best LoRA is chosen among equals: latency or first.")] = "latency",
) -> None:
    """Print Table 1 (the grid), Table 2 (best LoRA against full tuning), Table 3 (rank correlations), and more."""
    from tunescale_core.published import reference as named
    from tunescale_core.ranks import checked_ties
    from tunescale_core.tables.every import FORMATS, every_table

    if form not in FORMATS:
        fail(f"no format {form!r}; known are {', '.join(FORMATS)}")
    with one_line_errors():
        other = named(reference) if reference else None
        found = every_table(read(records, table), checked_ties(ties), other)
    typer.echo(FORMATS[form](found).rstrip("\n"))
