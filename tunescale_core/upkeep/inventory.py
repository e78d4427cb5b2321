"""What is in a store: its checkpoints, and what is left of such; who used them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tunescale_core.errors import DamagedError, RecordError, StaleError, StoreError
from tunescale_core.reading import json_of
from tunescale_core.records.files import read_head
from tunescale_core.records.record import Record
from tunescale_core.store.aside import DAMAGED
from tunescale_core.store.checkpoints import CHECKPOINTS, UNFINISHED, Store
from tunescale_core.store.files import size_of
from tunescale_core.store.manifest import ADVICE, MANIFEST, Manifest, read_manifest
from tunescale_core.training.saves import read_saved

RECORDS, TRIALS = "records", "trials"
"""The store's folders for them."""
State = Literal["whole", "stale", "damaged", "left over", "unfinished"]
"""`whole`: its manifest is as it was written (`verify` reads the rest). `stale`: of a schema that this version does not
read. `left over`: of a build that did not end. `unfinished`: what a training that did not end can go on from."""

SEED = re.compile(r"-s\d+$")
"""What the name of a variant ends in where a study has several seeds."""


@dataclass(frozen=True)
class Entry:
    """A checkpoint of a store, or what there is in its place."""

    path: Path
    state: State
    size: int
    """Bytes."""
    variant: str | None = None
    """None where nothing says."""
    key: str | None = None
    created: str | None = None
    seconds: float | None = None
    """Of its training."""
    cells: tuple[str, ...] = ()
    """`study/cell` of the records that were measured on it."""
    fault: str | None = None


def opened(root: Path) -> Store:
    """Return the store in a folder.

    Raises:
        StoreError: There is none.
    """
    if not any((root / name).is_dir() for name in (CHECKPOINTS, RECORDS, TRIALS, DAMAGED)):
        raise StoreError(f"{root} holds no store: give --store the folder that a run was given")
    return Store(root)


def listed(store: Store) -> tuple[Entry, ...]:
    """Return a store's checkpoints, by variant; their files are not read.

    Raises:
        StoreError: A folder of the store is a link out of it, or cannot be read.
    """
    records = tuple(_readable(store))
    try:
        entries = [_entry(path, records) for path in children(store, CHECKPOINTS)]
        entries += [_state(path) for path in children(store, UNFINISHED) if path.is_dir() and not path.is_symlink()]
        entries += [Entry(path, "damaged", size_of(path), fault="set aside") for path in children(store, DAMAGED)]
    except OSError as error:
        raise StoreError(f"store {store.root} cannot be read: {error.filename}: {error.strerror}") from error
    return tuple(sorted(entries, key=lambda one: (one.variant is None, one.variant or "", one.path.name)))


def children(store: Store, name: str) -> tuple[Path, ...]:
    """Return what lies in one of a store's folders, by name; nothing where there is no such folder.

    Raises:
        StoreError: The folder is a link out of the store.
    """
    folder = store.within(store.root / name)
    return tuple(sorted(folder.iterdir())) if folder.is_dir() else ()


def record_paths(store: Store) -> tuple[Path, ...]:
    """Return where a store's records are, of all its studies.

    Raises:
        StoreError: A study's folder is a link out of the store.
    """
    studies = [store.within(one) for one in children(store, RECORDS) if one.is_dir()]
    return tuple(path for study in studies for path in sorted(study.glob("*.json")))


def _readable(store: Store) -> Iterator[tuple[str, Record]]:
    for path in record_paths(store):
        try:
            yield path.parent.name, read_head(path)[0]
        except RecordError:  # `verify` tells of it
            continue


def _entry(path: Path, records: tuple[tuple[str, Record], ...]) -> Entry:
    if path.name.startswith("."):
        return Entry(path, "left over", size_of(path), fault="of a build or a deletion that has not ended")
    try:
        manifest = read_manifest(path)
    except StaleError as error:
        return Entry(path, "stale", size_of(path), variant=_claimed(path), fault=str(error))
    except DamagedError as error:
        return Entry(path, "damaged", size_of(path), fault=str(error).removesuffix(ADVICE))
    except (FileNotFoundError, NotADirectoryError):
        return Entry(path, "left over", size_of(path), fault="it has no manifest")
    return Entry(
        path,
        "whole",
        size_of(path),
        variant=manifest.variant,
        key=manifest.key,
        created=manifest.provenance.created,
        seconds=manifest.cost.seconds,
        cells=_users(manifest, records),
    )


def _state(path: Path) -> Entry:
    try:
        saved = read_saved(path)
    except DamagedError as error:
        return Entry(path, "damaged", size_of(path), fault=str(error))
    except (FileNotFoundError, NotADirectoryError):
        return Entry(path, "left over", size_of(path), fault="no state of a training was saved whole")
    return Entry(path, "unfinished", size_of(path), variant=saved.variant or None, seconds=saved.spent.seconds)


def _claimed(path: Path) -> str | None:
    """Return the variant that a manifest of another schema names, where it has one."""
    said = json_of((path / MANIFEST).read_text(encoding="utf-8")).get("variant")
    return said if isinstance(said, str) else None


def _users(manifest: Manifest, records: tuple[tuple[str, Record], ...]) -> tuple[str, ...]:
    """Return whose cells were measured on a checkpoint: they carry its variant's name and its training's very cost.

    A variant of one seed of several ends in it, and its cells end in it after their task.
    """
    names = (manifest.variant, SEED.sub("", manifest.variant))
    return tuple(
        f"{study}/{record.cell}"
        for study, record in records
        if record.cost == manifest.cost and record.cell.startswith(tuple(f"{name}-for-" for name in names))
    )
