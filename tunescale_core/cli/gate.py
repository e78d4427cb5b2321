"""`tunescale gate`: records held against a baseline, and how far timing gates can be trusted on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunescale_core.cli.self_test import self_test as run_self_test
from tunescale_core.cli.sources import RecordsFolder, fail, one_line_errors, records_folder
from tunescale_core.errors import StudyError
from tunescale_core.plain_json import dumps

if TYPE_CHECKING:
    from tunescale_core.gates.gating import Gating
    from tunescale_core.study.study import Study

EXIT = {"regression": 1, "nothing compared": 5}
"""Exit codes, as a run of pytest with the same gate has them; 0 elsewhere."""


def gate(  # noqa: PLR0913, PLR0917  an option a wish
    records: RecordsFolder = None,
    baseline: Annotated[str | None, typer.Option(help="The baseline: a name, a folder or a file.")] = None,
    study: Annotated[
        str | None,
        typer.Option(help="Study whose \\[gate] table applies; needed where the records' own is a file."),
    ] = None,
    save_baseline: Annotated[str | None, typer.Option(help="Save the records as a baseline of this name.")] = None,
    texts: Annotated[bool, typer.Option("--baseline-texts", help="Keep prompts and answers in it.")] = False,  # noqa: FBT002
    summary: Annotated[
        Path | None, typer.Option("--gate-summary", help="Write the verdicts to this file as Markdown.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,  # noqa: FBT002
    self_test: Annotated[bool, typer.Option("--self-test", help="Measure this machine's noise.")] = False,  # noqa: FBT002
    blocks: Annotated[int, typer.Option(min=4, help="Self-test: processes to measure a pace in.")] = 10,
    minutes: Annotated[float, typer.Option(min=0, help="Self-test: minutes to measure for.")] = 2.0,
) -> None:
    """Compare records with a baseline. Exit code 0: holds, 1: regression, 4: usage error, 5: nothing compared."""
    if self_test:
        run_self_test(blocks, minutes, as_json=as_json)
        return
    if baseline is None and save_baseline is None:
        fail("give --baseline NAME, --save-baseline NAME, or --self-test")
    with one_line_errors():
        found = _gated(records_folder(records), study, baseline, save_baseline)
        if save_baseline is not None and found.outcome in {"first run", "holds"}:
            found.save(texts=texts)
    if summary is not None:
        from tunescale_core.gates.summary import pull_request

        _write(summary, pull_request(found))
    typer.echo(_told(found, as_json=as_json))
    raise typer.Exit(EXIT.get(found.outcome, 0))


def _gated(folder: Path, study: str | None, baseline: str | None, saved: str | None) -> Gating:
    from tunescale_core.gates.baseline import folder_of
    from tunescale_core.gates.gating import Gating
    from tunescale_core.pace.pace import paces_beside, read
    from tunescale_core.records.files import read_all
    from tunescale_core.study.grid import cells

    records = read_all(folder)
    declared = _declared(study, records[0].study)
    if declared.study.name != records[0].study:
        raise StudyError(f"records {folder} are of study {records[0].study}, and --study says {declared.study.name}")
    gating = Gating.opened(declared, baseline, saved, folder_of(Path(), declared.folder))
    gating.select(cells(declared))
    gating.take(records, None, read(paces_beside(folder)))
    for cell, metric in gating.expected():
        gating.verdict(cell, metric)
    return gating


def _declared(wanted: str | None, recorded: str) -> Study:
    """Read the study that is asked for, or that of the records where it ships."""
    from tunescale_core.study.loading import load

    try:
        return load(wanted or recorded)
    except StudyError as error:
        told = "" if wanted else f" (the records are of study {recorded!r}: give its file by --study FILE)"
        raise StudyError(f"{error}{told}") from None


def _told(gating: Gating, *, as_json: bool) -> str:
    from tunescale_core.gates.shown import as_objects
    from tunescale_core.gates.summary import lines, title

    if as_json:
        return dumps(as_objects(gating.given))
    return "\n".join([title(gating), *lines(gating)])


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"--gate-summary {path} cannot be written: {error.strerror}")
