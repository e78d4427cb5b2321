"""`tunescale report`: the tables in any format, or one page with everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunescale_core.cli.sources import PublishedTable, RecordsFolder, fail, one_line_errors, read

if TYPE_CHECKING:
    from tunescale_core.report.plots import Limits
    from tunescale_core.results.ranks import Ties
    from tunescale_core.results.results import Results


def report(  # noqa: PLR0913, PLR0917  an option a wish
    records: RecordsFolder = None,
    table: PublishedTable = None,
    form: Annotated[str, typer.Option("--format", help="terminal, markdown, latex, csv or json.")] = "terminal",
    reference: Annotated[
        str | None, typer.Option(help="Show these figures beside: paper, or a CSV in its form.")
    ] = None,
    ties: Annotated[str, typer.Option(help="How the best LoRA is chosen among equals: latency or first.")] = "latency",
    html: Annotated[Path | None, typer.Option(help="Write everything to this one HTML file instead.")] = None,
    max_latency: Annotated[float | None, typer.Option(help="Seconds: a line to draw in the page's Figure 1.")] = None,
    minimum: Annotated[
        list[str] | None, typer.Option("--min", help="TASK:METRIC=VALUE: a line to draw; may be repeated.")
    ] = None,
) -> None:
    """Print Table 1 (the grid), Table 2 (best LoRA against full tuning), Table 3 (rank correlations), and more."""
    from tunescale_core.results.published import reference as named
    from tunescale_core.results.ranks import checked_ties
    from tunescale_core.tables.every import FORMATS, every_table

    if form not in FORMATS:
        fail(f"no format {form!r}; known are {', '.join(FORMATS)}")
    if html is None and (max_latency is not None or minimum):
        fail("--max-latency and --min are lines in the page's Figure 1: give --html too, or see tunescale advise")
    with one_line_errors():
        results = read(records, table)
        other = named(reference) if reference else None
        if html is not None:
            _write(results, html, checked_ties(ties), other, _limits(results, max_latency, minimum or ()))
            return
        found = every_table(results, checked_ties(ties), other)
    typer.echo(FORMATS[form](found).rstrip("\n"))


def _limits(results: Results, max_latency: float | None, minimum: Sequence[str]) -> Limits:
    from tunescale_core.advice.constraints import checked_latency, parse_minimum
    from tunescale_core.report.plots import Limits

    bars = [parse_minimum(results, text) for text in minimum]
    primary = [(bar.task, bar.value) for bar in bars if bar.metric == results.metric(bar.task)]
    return Limits(checked_latency(max_latency), tuple((task, value) for task, value in primary if value is not None))


def _write(results: Results, target: Path, ties: Ties, reference: Results | None, limits: Limits) -> None:
    from tunescale_core.report.page import write_page

    write_page(results, target, ties, reference, limits)
    typer.echo(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
