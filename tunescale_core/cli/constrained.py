"""Constraints as commands take them: by options, those that a study declares, or those of the last run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunescale_core.errors import ResultsError

if TYPE_CHECKING:
    from tunescale_core.advice.constraints import Bar
    from tunescale_core.study.constraints import Deployment

ASKING = frozenset({"maximise", "min", "max_latency", "max_memory", "max_cost"})
"""Keys that say what is wanted; the others say how it is measured."""
StudyOption = Annotated[
    str | None,
    typer.Option("--study", help="Study whose \\[constraints] apply beside these options: a name or a file."),
]


def by_task(bars: Sequence[Bar]) -> dict[str, dict[str, float | None]]:
    """Return bars as a study's `min` has them.

    Raises:
        ResultsError: Two are of one metric.
    """
    found: dict[str, dict[str, float | None]] = {}
    for bar in bars:
        if bar.metric.name in found.setdefault(bar.task, {}):
            raise ResultsError(f"--min {bar.task}:{bar.metric.name} is given twice")
        found[bar.task][bar.metric.name] = bar.value
    return found


def asked_by(options: Mapping[str, object], study: str | None, records: Path | None) -> Deployment | None:
    """Return what is asked of a deployment: options over a study's constraints, or over those of the last run.

    Where no study is named, an option that asks something is all that is asked: the last run's are then left alone.

    Args:
        options: By key of `[constraints]`; None is not given.
        study: A study that is named for its constraints.
        records: The folder of records, beside which the last run kept its own.

    Returns:
        None where nothing is given and nothing is kept.

    Raises:
        StudyError: The study cannot be read.
        ResultsError: It declares no constraints, or those that are kept cannot be read.
    """
    from tunescale_core.advice.kept import constraints_beside, kept
    from tunescale_core.study.constraints import Deployment

    given = {name: value for name, value in options.items() if value is not None}
    if study:
        return _declared(study).model_copy(update=given)
    last = kept(constraints_beside(records)) if records and not ASKING & given.keys() else None
    return (last or Deployment()).model_copy(update=given) if last or given else None


def _declared(study: str) -> Deployment:
    from tunescale_core.study.loading import load

    found = load(study).constraints
    if found is None:
        raise ResultsError(f"study {study} has no [constraints]: give --min, --max-latency, … or declare some")
    return found
