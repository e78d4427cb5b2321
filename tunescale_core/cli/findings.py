"""`tunescale findings`: the study's questions, answered from records or a published table."""

from __future__ import annotations

from typing import Annotated

import typer

from tunescale_core.cli.sources import PublishedTable, RecordsFolder, one_line_errors, read
from tunescale_core.plain_json import dumps


def findings(
    records: RecordsFolder = None,
    table: PublishedTable = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Show the findings of a reference too: paper, or a CSV in the form of its Table 1."),
    ] = None,
    ties: Annotated[str, typer.Option(help="How ties for the best LoRA are broken: latency or first.")] = "latency",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,  # noqa: FBT002
) -> None:
    """Answer the questions Q1 to Q7 and check the conclusions C1 to C7, with intervals and verdicts."""
    from tunescale_core.findings.answers import answers
    from tunescale_core.findings.shown import as_objects, as_text
    from tunescale_core.results.published import reference as named
    from tunescale_core.results.ranks import checked_ties

    with one_line_errors():
        found = answers(read(records, table), checked_ties(ties))
        theirs = answers(named(reference), checked_ties(ties)) if reference else ()
        text = dumps(as_objects(found, theirs)) if as_json else as_text(found, theirs)
    typer.echo(text)
