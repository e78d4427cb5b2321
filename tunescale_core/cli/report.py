"""`tunescale report`: the tables in any format, or one page with everything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunescale_core.cli.constrained import StudyOption, asked_by, by_task
from tunescale_core.cli.sources import PublishedTable, RecordsFolder, fail, one_line_errors, read, records_folder

if TYPE_CHECKING:
    from tunescale_core.results.ranks import Ties
    from tunescale_core.results.results import Results
    from tunescale_core.study.constraints import Deployment


def report(  # noqa: PLR0913, PLR0917  an option a wish
    records: RecordsFolder = None,
    table: PublishedTable = None,
    form: Annotated[str, typer.Option("--format", help="terminal, markdown, latex, csv or json.")] = "terminal",
    reference: Annotated[
        str | None,
        typer.Option(help="Show the figures of a reference too: paper, or a CSV in the form of its Table 1."),
    ] = None,
    ties: Annotated[str, typer.Option(help="How ties for the best LoRA are broken: latency or first.")] = "latency",
    html: Annotated[Path | None, typer.Option(help="Write one HTML page with everything to this file instead.")] = None,
    max_latency: Annotated[
        str | None, typer.Option(help="Latency limit to draw in the page's Figure 1: seconds, or as 250ms.")
    ] = None,
    minimum: Annotated[
        list[str] | None, typer.Option("--min", help="TASK:METRIC=VALUE to draw in Figure 1; may be repeated.")
    ] = None,
    study: StudyOption = None,
) -> None:
    """Print Table 1 (the grid), Table 2 (best LoRA against full tuning), Table 3 (rank correlations), and more.

    The page also has findings, plots, examples, and advice under the constraints: those of these options, or without
    any, those that the study's last run had.
    """
    from tunescale_core.advice.constraints import parse_latency, parse_minimum
    from tunescale_core.results.published import reference as named
    from tunescale_core.results.ranks import checked_ties
    from tunescale_core.tables.every import FORMATS, every_table

    if form not in FORMATS:
        fail(f"no format {form!r}; known are {', '.join(FORMATS)}")
    if html is None and (max_latency is not None or minimum or study):
        fail("--max-latency, --min and --study are for the page: give --html too, or see tunescale advise")
    with one_line_errors():
        results = read(records, table)
        other = named(reference) if reference else None
        if html is not None:
            bars = by_task([parse_minimum(results, text) for text in minimum or ()]) or None
            options = {"max_latency": None if max_latency is None else parse_latency(max_latency), "min": bars}
            asked = asked_by(options, study, None if table else records_folder(records))
            _write(results, html, checked_ties(ties), other, asked)
            return
        found = every_table(results, checked_ties(ties), other)
    typer.echo(FORMATS[form](found).rstrip("\n"))


def _write(results: Results, target: Path, ties: Ties, reference: Results | None, asked: Deployment | None) -> None:
    from tunescale_core.report.page import write_page

    write_page(results, target, ties, reference, asked)
    typer.echo(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
