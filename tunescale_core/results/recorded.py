"""A folder of records as results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tunescale_core.errors import ResultsError
from tunescale_core.records.files import paths, read_head
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.result import Result, from_record
from tunescale_core.results.results import Results
from tunescale_core.study.serving import EAGER


def from_folder(folder: Path) -> Results:
    """Read a folder of records, without their rows until they are asked for.

    Raises:
        RecordError: One cannot be read, or there is none.
        ResultsError: Two are of one candidate, task and seed.
    """
    cells = tuple(from_record(*read_head(path)) for path in paths(folder))
    try:
        check_distinct(cells)
    except ResultsError as error:
        raise ResultsError(f"folder {folder}: {error} (records of an earlier form of the study: delete them)") from None
    results = gathered(cells, str(folder))
    if not results.cells:
        raise ResultsError(f"folder {folder} holds no cell served eagerly: run those without -via- in their names too")
    return results


def gathered(cells: Iterable[Result], source: str = "") -> Results:
    """Return cells as results, those served otherwise than eagerly apart."""
    every = tuple(cells)
    eager = tuple(cell for cell in every if cell.serving == EAGER)
    return Results(eager, source, tuple(cell for cell in every if cell.serving != EAGER))


def check_distinct(cells: Iterable[Result]) -> None:
    """Refuse two figures for one place.

    Raises:
        ResultsError: A candidate's task and seed come twice.
    """
    seen: set[tuple[Candidate, str, int | None, str]] = set()
    for cell in cells:
        place = (cell.candidate, cell.task, cell.seed, cell.serving)
        if place in seen:
            raise ResultsError(f"{cell.candidate.id} for {cell.task} comes twice; leave one out")
        seen.add(place)
