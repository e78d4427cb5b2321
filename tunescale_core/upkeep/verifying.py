"""Everything in a store held against the hashes it was written with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tunescale_core.errors import DamagedError, RecordError, StoreError
from tunescale_core.records.files import read
from tunescale_core.store.checkpoints import CHECKPOINTS, UNFINISHED, Store
from tunescale_core.store.files import leads_out
from tunescale_core.store.manifest import MANIFEST
from tunescale_core.training.saves import INDEX, verified_saved
from tunescale_core.training.searches import kept
from tunescale_core.upkeep.inventory import TRIALS, children, record_paths

AGAIN = 1.0
"""Seconds until what seems damaged is looked at again."""


def verified(store: Store) -> Iterator[tuple[Path, str | None]]:
    """Yield each checkpoint, record, search and saved state of a store, and in one line what is wrong with it, if so.

    What seems damaged is looked at again: a run may just be putting a later one in its place, or taking it away.
    Nothing is moved or changed. What a build that died left behind is no damage, and not told.

    Raises:
        StoreError: A folder of the store is a link out of it.
    """
    looked = [(path, look, look(path)) for path, look in _things(store)]
    if any(told is not None for _, _, told in looked):
        time.sleep(AGAIN)
    for path, look, told in looked:
        if told is None:
            yield path, None
        elif os.path.lexists(path):
            yield path, look(path)


def _things(store: Store) -> Iterator[tuple[Path, Callable[[Path], str | None]]]:
    for path in children(store, CHECKPOINTS):
        if not path.name.startswith("."):
            yield path, partial(_checkpoint, store)
    for path in record_paths(store):
        yield path, partial(_record, store)
    for path in children(store, UNFINISHED):
        if path.is_symlink() or (path / INDEX).exists():
            yield path, _state
    for path in children(store, TRIALS):
        if path.suffix == ".json":
            yield path, _search


def _state(path: Path) -> str | None:
    if path.is_symlink():
        return f"{path} is a link; delete it"
    try:
        verified_saved(path)
    except FileNotFoundError:  # its training has just ended
        return None
    except DamagedError as error:
        return str(error)
    return None


def _checkpoint(store: Store, path: Path) -> str | None:
    if not path.is_symlink() and not (path / MANIFEST).exists():
        return f"{path} has no manifest; delete the folder to build it again"
    try:
        store.verified(path)
    except StoreError as error:
        return str(error)
    return None


def _record(store: Store, path: Path) -> str | None:
    if leads_out(path, store.root):
        return f"record {path} is a link out of the store; measure it again"
    try:
        read(path)
    except RecordError as error:
        return str(error)
    return None


def _search(path: Path) -> str | None:
    try:
        kept(path)
    except DamagedError as error:
        return f"{error}; delete the file to search again"
    return None
