"""The trials of a search of a learning rate, as far as it has come, to and from the store."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from tunescale_core.errors import DamagedError
from tunescale_core.placing import place
from tunescale_core.records.record import Trial
from tunescale_core.store.sealed import sealed, unsealed

TRIAL = "trial-"
"""What the name of a trial's saved state begins with: the search's own name and the trial's number follow."""
_TRIALS = TypeAdapter(tuple[Trial, ...])


def keep(path: Path, key: str, variant: str, trials: tuple[Trial, ...]) -> None:
    """Write a search's trials with the hash of all that is said of them.

    Args:
        path: The file.
        key: What the search is found by.
        variant: Whose rate was searched, for the reader.
        trials: One a rate that has been tried.
    """
    place(path, sealed({"key": key, "variant": variant, "trials": _TRIALS.dump_python(trials)}))


def kept(path: Path, key: str | None = None) -> tuple[Trial, ...]:
    """Return the trials in a file, none where there is no file.

    One from before such files held their own hash is read as it stands.

    Args:
        path: The file.
        key: Of the search it must be; None for the one that it is called after.

    Raises:
        DamagedError: It is not as it was written, or a link, or another search's.
    """
    if path.is_symlink():
        raise DamagedError(f"{path} is a link")
    if not path.is_file():
        return ()
    try:
        said = unsealed(path.read_text(encoding="utf-8"))
        found, trials = said.content["key"], _TRIALS.validate_python(said.content["trials"])
        if (found != key) if key else (found[:24] != path.stem):
            raise DamagedError(f"{path} is of another search")
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(f"{path} cannot be read") from error
    if said.changed:
        raise DamagedError(f"{path} was changed after it was written")
    return trials
