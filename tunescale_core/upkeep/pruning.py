"""What is deleted from a store on request, and nothing but what lies in it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from filelock import FileLock, Timeout

from tunescale_core.errors import StoreError
from tunescale_core.placing import ASIDE
from tunescale_core.reading import json_of
from tunescale_core.records.record import SCHEMA_VERSION
from tunescale_core.store.aside import DAMAGED
from tunescale_core.store.checkpoints import CHECKPOINTS, LOCKS, UNFINISHED, Store
from tunescale_core.store.files import leads_out, size_of
from tunescale_core.training.searches import TRIAL
from tunescale_core.upkeep.inventory import RECORDS, TRIALS, Entry, children, listed, record_paths

WRITING = 3600.0
"""Seconds that writing a file takes at most."""


@dataclass(frozen=True)
class Doomed:
    """What is to go."""

    path: Path
    size: int
    """Bytes."""
    what: str
    """The variant, or why it is of no use."""


def doomed(store: Store, keep: Sequence[str] | None, *, stale: bool) -> tuple[Doomed, ...]:
    """Return what is to go from a store.

    Args:
        store: The store.
        keep: Shell patterns of the variants that stay, whatever else is said; checkpoints and saved states of
            trainings of all others go. None to let those stay that this version can read.
        stale: Whether what this version cannot read goes: checkpoints and records of another schema, damage,
            damage that was set aside, and what builds and writers that died left behind.

    Raises:
        StoreError: A folder of the store is a link out of it, or cannot be read.
    """
    found = [_doomed(one) for one in listed(store) if _goes(one, keep, stale=stale)]
    return (*found, *_stale_records(store), *_half_files(store)) if stale else tuple(found)


def prune(store: Store, which: Sequence[Doomed], told: Callable[[Doomed], None]) -> tuple[Doomed, ...]:
    """Delete what is to go, and return what stays because another process is at work on it.

    Args:
        store: The store.
        which: As `doomed` returns it.
        told: Called with each thing that is gone.

    Raises:
        StoreError: Something lies outside the store, or cannot be deleted.
    """
    busy = []
    for one in which:
        if leads_out(one.path.parent, store.root):
            raise StoreError(f"{one.path} lies outside store {store.root}, where nothing is deleted")
        try:
            _delete(store, one.path)
        except Timeout:
            busy.append(one)
        except FileNotFoundError:  # somebody else was faster
            told(one)
        except OSError as error:
            raise StoreError(f"{one.path} cannot be deleted: {error.strerror}") from error
        else:
            told(one)
    return tuple(busy)


def _goes(one: Entry, keep: Sequence[str] | None, *, stale: bool) -> bool:
    if keep is not None and one.variant is not None and any(fnmatchcase(one.variant, pattern) for pattern in keep):
        return False
    return keep is not None if one.state in {"whole", "unfinished"} else stale


def _doomed(one: Entry) -> Doomed:
    return Doomed(one.path, one.size, one.variant or one.fault or one.state)


def _stale_records(store: Store) -> Iterator[Doomed]:
    """Yield the records of another schema and their rows."""
    for path in record_paths(store):
        try:
            content = json_of(path.read_text(encoding="utf-8")) if not path.is_symlink() else {}
            found, rows = content.get("schema_version"), content.get("rows")
        except (OSError, ValueError, AttributeError):  # damaged: whoever measures it again replaces it
            continue
        if isinstance(found, int) and found != SCHEMA_VERSION:
            yield Doomed(path, size_of(path), f"record of schema {found}")
            if isinstance(rows, str) and Path(rows).name == rows and os.path.lexists(path.parent / rows):
                yield Doomed(path.parent / rows, size_of(path.parent / rows), f"rows of a record of schema {found}")


def _half_files(store: Store) -> Iterator[Doomed]:
    """Yield what writers left aside, but for what may be being written just now.

    What they left in a training's folder goes with it.
    """
    folders = [one for one in sorted(store.root.iterdir()) if one.is_dir() and not one.is_symlink()]
    folders += [one for one in children(store, RECORDS) if one.is_dir()]
    for path in (half for folder in folders for half in sorted(folder.glob(f"{ASIDE}*"))):
        try:
            status = path.lstat()
        except FileNotFoundError:  # it has just been put in its place
            continue
        if status.st_mtime < time.time() - WRITING:
            yield Doomed(path, status.st_size, "left over")


def _delete(store: Store, path: Path) -> None:
    with ExitStack() as locks:
        if path.name.startswith(TRIAL) and path.parent.name == UNFINISHED:
            search = path.name.removeprefix(TRIAL).rpartition("-")[0]
            locks.enter_context(FileLock(store.within(store.root / TRIALS) / f"{search}.lock").acquire(timeout=0))
        for key in _keys(store, path.name) if path.parent.name in {CHECKPOINTS, UNFINISHED} else ():
            locks.enter_context(store.lock(key, f"{path} must be deleted", timeout=0))
        _remove(path)


def _keys(store: Store, name: str) -> tuple[str, ...]:
    """Return under which locks a checkpoint, or what a build left of one, may be worked on."""
    start = name.removeprefix(".")[:12] if name.startswith(".") else name
    return tuple(sorted(lock.stem for lock in (store.root / LOCKS).glob("*.lock") if lock.stem.startswith(start)))


def _remove(path: Path) -> None:
    """Delete a file, a link or a folder; a folder disappears in one step, so that nobody meets half of it."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    if path.parent.name in {CHECKPOINTS, DAMAGED, UNFINISHED} and not path.name.startswith("."):
        gone = Path(tempfile.mkdtemp(prefix=f".{path.name[:12]}-", dir=path.parent))
        path = path.rename(gone)
    shutil.rmtree(path)
