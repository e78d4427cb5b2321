"""`tunescale rows`: a study's examples as CSV."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from tunescale_core.cli.sources import RecordsFolder, fail, one_line_errors, read


def rows(
    records: RecordsFolder = None,
    case: Annotated[
        str, typer.Option(help="Only cases whose id matches this shell pattern, as 'mini-small-base-for-*'.")
    ] = "*",
) -> None:
    """Write every example of every cell as CSV: the answer, how long it took, what it scored."""
    from tunescale_core.report.rows import write_csv
    from tunescale_core.results.results import Results

    with one_line_errors():
        found = read(records, None)
        every = (*found.cells, *found.served)
        cells = tuple(one for one in every if one.record and fnmatchcase(one.record.cell, case))
        if not cells:
            known = ", ".join(one.record.cell for one in every[:3] if one.record)
            fail(f"no case matches --case {case!r}; there are {known}, …")
        write_csv(Results(cells, found.source), sys.stdout.buffer)
