"""`tunescale rows`: a study's examples as CSV."""

from __future__ import annotations

import sys

from tunescale_core.cli.sources import RecordsFolder, one_line_errors


def rows(records: RecordsFolder = None) -> None:
    """Write every example of every cell as CSV: the answer, how long it took, what it scored."""
    from tunescale_core.cli.sources import read
    from tunescale_core.report.rows import write_csv

    with one_line_errors():
        write_csv(read(records, None), sys.stdout.buffer)
