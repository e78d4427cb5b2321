"""What the last run of a study asked of a deployment, kept beside its records: advice then needs no study file."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from tunescale_core.errors import ResultsError
from tunescale_core.exhausted import telling
from tunescale_core.placing import place
from tunescale_core.study.constraints import Deployment


def constraints_beside(records: Path) -> Path:
    """Return where a study's constraints are kept, for its folder of records."""
    return records.parent.parent / "constraints" / f"{records.name}.json"


def keep(asked: Deployment | None, path: Path) -> None:
    """Write what is asked, or remove what an earlier run asked where nothing is any more.

    Raises:
        ResourceError: The disk is full; what was there is left whole.
    """
    with telling(path.name, path):
        if asked is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        place(path, asked.model_dump_json(exclude_defaults=True).encode())


def kept(path: Path) -> Deployment | None:
    """Return what was asked; None where nothing is kept.

    Raises:
        ResultsError: The file cannot be read.
    """
    try:
        return Deployment.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise ResultsError(f"constraints {path} cannot be read: {' '.join(str(error).split())[:120]}") from error
