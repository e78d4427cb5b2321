"""What the commands right of the record share: where results come from, and how a fault ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tunescale_core.errors import ResultsError, TuneScaleError
from tunescale_core.harmless import harmless
from tunescale_core.results.recorded import from_folder
from tunescale_core.results.results import Results

USAGE = 4
"""Exit code of what cannot be started as asked, as pytest's."""
RecordsFolder = Annotated[
    Path | None,
    typer.Argument(
        help="A study's name, for its records in .tunescale; or a folder of records, as a run prints it (default: the "
        "only study in .tunescale)."
    ),
]
PublishedTable = Annotated[
    Path | None, typer.Option("--table", help="A CSV in the form of the paper's Table 1, instead of records.")
]
BASELINE = "baseline.json"
"""What a baseline has and a folder of records has not (`gates/baseline.py`)."""
DEFAULT_STORE = Path(".tunescale/records")


def fail(message: str) -> NoReturn:
    """End with one line and the exit code of a usage error."""
    typer.echo(f"tunescale: {harmless(' '.join(message.split()))}", err=True)
    raise typer.Exit(USAGE)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an error made for users into one line, and so what the machine runs out of."""
    from tunescale_core.exhausted import telling

    try:
        with telling("this command", Path.cwd()):
            yield
    except TuneScaleError as error:
        fail(str(error))
    except BrokenPipeError:  # whoever read the output has had enough, as head has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        fail(f"{error.strerror or error}: {error.filename or Path.cwd()}"[:500])


def read(records: Path | None, table: Path | None) -> Results:
    """Read what a command is asked about.

    Raises:
        ResultsError: Both or neither can be meant.
        RecordError: Records cannot be read.
    """
    from tunescale_core.results.published import read_table

    if table is not None:
        if records is not None:
            raise ResultsError("give a folder of records or --table, not both")
        return read_table(table)
    return from_folder(records_folder(records))


def records_folder(wanted: Path | None) -> Path:
    """Return the folder of records that is meant: as given, that of a study by its name, or the only one there is.

    Raises:
        ResultsError: A file is given, or what is neither a folder nor a study's name; or none, and the store holds
            several studies, or no study.
    """
    if wanted is None:
        return _only_study()
    if wanted.is_file():
        raise ResultsError(f"{wanted} is a file: give a folder of records, or a published table with --table")
    if (wanted / BASELINE).is_file():
        raise ResultsError(f"{wanted} is a baseline, for tunescale gate --baseline: give a folder of records")
    if wanted.is_dir() or len(wanted.parts) > 1:
        return wanted
    if (DEFAULT_STORE / wanted).is_dir():
        return DEFAULT_STORE / wanted
    there = ", ".join(one.name for one in _studies()) or "none"
    raise ResultsError(f"there is no folder {wanted}, and no study of that name in {DEFAULT_STORE}; there is {there}")


def _studies() -> list[Path]:
    return sorted(path for path in DEFAULT_STORE.glob("*") if path.is_dir())


def _only_study() -> Path:
    found = _studies()
    if not found:
        raise ResultsError(
            f"{DEFAULT_STORE} holds nothing: run pytest benchmarks first, or give a folder of records or --table FILE"
        )
    if len(found) > 1:
        raise ResultsError(f"{DEFAULT_STORE} holds several studies, say which: {', '.join(one.name for one in found)}")
    return found[0]
