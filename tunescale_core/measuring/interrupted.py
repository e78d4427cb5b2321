"""What an interrupted run of a study had measured, for the next run to take over instead of asking again.

A run notes each cell that it has measured, and forgets the notes at its end. So notes that a run finds are of one that
was killed or stopped. A cell is taken over only where its record is whole and its key, which states all that decides
answers, is what it would be now, and where machine, versions and code are those that it was timed with.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from tunescale_core.errors import DamageWarning, ResourceError
from tunescale_core.placing import place
from tunescale_core.provenance import Provenance
from tunescale_core.reading import json_of
from tunescale_core.records.record import Record
from tunescale_core.store.checkpoints import LOCKS, UNFINISHED, Store


class Notes:
    """The notes of a study's runs; one run at a time keeps them.

    Args:
        store: Where records are.
        study: Its name.
    """

    def __init__(self, store: Store, study: str) -> None:
        self._path = store.within(store.root / UNFINISHED) / f"run-{study}.json"
        self._lock = FileLock(store.within(store.root / LOCKS) / f"run-{study}.lock")
        self.found: dict[str, str] = {}
        """Keys of cells that an interrupted run had measured, by their ids."""
        self._noted: dict[str, str] = {}
        self._kept = False

    def begin(self, *, forget: Collection[str] = ()) -> None:
        """Become the run that keeps the notes, and read those of an interrupted one.

        Where another run of the study is under way, or the store cannot be written, none are kept or read.

        Args:
            forget: Cells to measure anew, whatever was measured of them.
        """
        try:
            for folder in (self._path.parent, Path(self._lock.lock_file).parent):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except (Timeout, OSError):
            return
        self._kept = True
        self._noted = {cell: key for cell, key in self._read().items() if cell not in forget}
        self.found = dict(self._noted)

    def add(self, record: Record) -> None:
        """Note that a cell has been measured and its record written."""
        if self._kept and record.key is not None:
            self._noted[record.cell] = record.key
            self._write()

    def end(self, cells: Iterable[str]) -> None:
        """Forget cells that a run has brought to its end; those that it was not asked for stay noted."""
        if self._kept:
            for cell in cells:
                self._noted.pop(cell, None)
            self._write()
        self.close()

    def close(self) -> None:
        """Leave the notes as they are, for the next run."""
        self._kept = False
        self._lock.release()

    def _read(self) -> dict[str, str]:
        try:
            content = json_of(self._path.read_text(encoding="utf-8"))
            return {str(cell): str(key) for cell, key in content["measured"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            told = f"notes of an interrupted run {self._path} cannot be read ({type(error).__name__}); measured anew"
            warnings.warn(told, DamageWarning, stacklevel=2)
            return {}

    def _write(self) -> None:
        """Write the notes; where they cannot be, the run goes on without: they spare work, and are no result."""
        try:
            if self._noted:
                place(self._path, json.dumps({"measured": self._noted}, indent=1).encode())
            else:
                self._path.unlink(missing_ok=True)
        except (OSError, ResourceError) as error:
            self.close()
            told = f"notes of the run cannot be written ({error}): if it is interrupted, its cells are measured anew"
            warnings.warn(told, DamageWarning, stacklevel=3)


def same_circumstances(one: Provenance | None, other: Provenance | None) -> bool:
    """Tell whether two measurements were made on the same machine by the same commit, packages and threads.

    Whether there were uncommitted changes is not asked: a run makes some itself, where its store is not ignored.
    """
    if one is None or other is None:
        return False
    passing = {"created": "", "git_dirty": None}
    return one.model_copy(update=passing) == other.model_copy(update=passing)
