"""Constraints as commands take them: by options, or those that a study declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tunescale_core.errors import ResultsError, StudyError

if TYPE_CHECKING:
    from tunescale_core.advice.constraints import Bar
    from tunescale_core.results.results import Results
    from tunescale_core.study.constraints import Deployment

StudyOption = Annotated[
    str | None, typer.Option("--study", help="Study whose [constraints] apply beside these options: a name or a file.")
]


def by_task(bars: Sequence[Bar]) -> dict[str, dict[str, float | None]]:
    """Return bars as a study's `min` has them."""
    found: dict[str, dict[str, float | None]] = {}
    for bar in bars:
        found.setdefault(bar.task, {})[bar.metric.name] = bar.value
    return found


def declared(study: str | None, results: Results) -> Deployment | None:
    """Return the constraints of the study that is asked for, or of the records' own where it ships and has some.

    Raises:
        StudyError: The study that is asked for cannot be read.
        ResultsError: It declares no constraints.
    """
    from tunescale_core.study.loading import load

    recorded = next((cell.record.study for cell in results.cells if cell.record), "")
    try:
        found = load(study or recorded).constraints
    except StudyError:
        if study:
            raise
        return None
    if found is None and study:
        raise ResultsError(f"study {study} has no [constraints]: give --min, --max-latency, … or declare some")
    return found
