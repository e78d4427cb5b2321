"""The content-addressed store: a checkpoint is built once, found by what decides its weights."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tunescale_core.errors import DamagedError, StoreError
from tunescale_core.exhausted import telling
from tunescale_core.store.aside import set_aside
from tunescale_core.store.files import Signature, faults, leads_out, signature, sums
from tunescale_core.store.manifest import (
    ADVICE,
    MANIFEST,
    Manifest,
    read_manifest,
    written,
)

CHECKPOINTS, LOCKS, UNFINISHED = "checkpoints", "locks", "unfinished"
"""The store's folders for them."""
NAMED = 3
"""Damaged files that a message names, at most."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint folder."""

    folder: Path
    manifest: Manifest
    built: bool
    """Whether this process built it just now."""

    @property
    def model(self) -> Path:
        """The folder of the merged model and its tokenizer."""
        return self.folder / "model"


class Store:
    """A folder of checkpoints and records."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: dict[Path, Signature] = {}
        """Folders whose files were hashed: they are not hashed again until something about one changes."""

    def obtain(self, key: str, build: Callable[[Path], Manifest]) -> Checkpoint:
        """Return the checkpoint of a key, building it first where it is missing or damaged.

        Processes that want the same key wait for one another. `build` fills a folder aside and returns
        the manifest; the manifest is written last and the folder then renamed into place. What is damaged is set
        aside first, with a warning that says what is wrong with it. A checkpoint that is whole is read without
        writing anything, so the store may be read-only.

        Raises:
            StoreError: The checkpoint is of another schema, or must be built and the store cannot be written.
            ResourceError: Disk, memory or open files ran out while it was built; nothing of it is left.
        """
        why = f"checkpoint {self._folder(key)} must be built"
        try:
            if whole := self.find(key):
                return whole
        except DamagedError as error:  # perhaps somebody is replacing it just now: under the lock it is looked at again
            why = str(error).removesuffix(ADVICE)
        with self.lock(key, why):
            try:
                whole = self.find(key)
            except DamagedError as error:
                set_aside(self._folder(key), self.root, str(error).removesuffix(ADVICE))
                whole = None
            return whole or self._build(key, build)

    def find(self, key: str) -> Checkpoint | None:
        """Return the checkpoint of a key if it is there, every file of it as it was written.

        Raises:
            DamagedError: It is not what its manifest says, or its manifest is unreadable or another checkpoint's.
            StaleError: Its manifest is of another schema.
            StoreError: It cannot be read, or lies behind a link out of the store.
        """
        folder = self._folder(key)
        if not folder.is_symlink() and not os.path.lexists(folder / MANIFEST):
            return None
        return Checkpoint(folder, self.verified(folder, key), built=False)

    def verified(self, folder: Path, key: str | None = None) -> Manifest:
        """Return the manifest of a checkpoint folder whose files are all as they were written.

        Args:
            folder: In this store.
            key: What it must be the checkpoint of; None for what its folder is called after.

        Raises:
            DamagedError: It is not what its manifest says, or its manifest is unreadable or another checkpoint's.
            StaleError: Its manifest is of another schema.
            StoreError: It cannot be read.
        """
        try:
            manifest = read_manifest(folder)
            if (manifest.key != key) if key else (manifest.key[:24] != folder.name):
                raise DamagedError(f"{folder / MANIFEST} names another checkpoint ({manifest.key[:12]}){ADVICE}")
            if not (folder / "model").is_dir():
                raise DamagedError(f"{folder} has a manifest but no model{ADVICE}")
            self._verify(folder, manifest)
        except FileNotFoundError as error:  # perhaps somebody is setting it aside just now
            raise DamagedError(f"{folder} is damaged: {error.filename} is missing{ADVICE}") from error
        except OSError as error:
            raise StoreError(f"{folder} cannot be read: {error.strerror}") from error
        return manifest

    def lock(self, key: str, why: str, timeout: float = -1) -> AbstractContextManager[object]:
        """Take the lock of a key, for a `with`; one that a dead process held is free.

        Args:
            key: The checkpoint's.
            why: What needs it, for the error.
            timeout: Seconds to wait for another process; forever if negative.

        Raises:
            StoreError: The store cannot be written.
            filelock.Timeout: Another process kept it.
        """
        locks = self.root / LOCKS
        try:
            self.within(locks).mkdir(parents=True, exist_ok=True)
            return FileLock(locks / f"{key}.lock").acquire(timeout=timeout)
        except TimeoutError:
            raise
        except OSError as error:
            raise StoreError(
                f"{why}, and store {self.root} cannot be written ({error.strerror}): give another --store"
            ) from error

    def within(self, folder: Path) -> Path:
        """Return a folder of the store.

        Raises:
            StoreError: It is a link out of the store.
        """
        if leads_out(folder, self.root):
            raise StoreError(f"{folder} is a link out of the store, which is not followed; link the whole store")
        return folder

    def unfinished(self, name: str) -> Path:
        """Return where a training saves its state until it is done: it is called as its checkpoint's folder is."""
        return self.within(self.root / UNFINISHED) / name

    def _verify(self, folder: Path, manifest: Manifest) -> None:
        seen = signature(folder)
        if self._verified.get(folder) == seen:
            return
        if told := faults(folder, manifest.files, MANIFEST):
            more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
            raise DamagedError(f"{folder} is damaged: {', '.join(told[:NAMED])}{more}{ADVICE}")
        self._verified[folder] = seen

    def _build(self, key: str, build: Callable[[Path], Manifest]) -> Checkpoint:
        folder = self._folder(key)
        with telling(f"checkpoint {folder.name}", folder.parent):
            folder.parent.mkdir(parents=True, exist_ok=True)
        for left in folder.parent.glob(f".{key[:12]}-*"):  # whoever made it died: the lock is ours
            shutil.rmtree(left, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{key[:12]}-", dir=folder.parent))
        try:
            with telling(f"checkpoint {folder.name}", folder.parent):
                manifest = build(aside)
                manifest = manifest.model_copy(update={"files": sums(aside, MANIFEST)})
                (aside / MANIFEST).write_text(written(manifest), encoding="utf-8")
            if os.path.lexists(folder):  # no build leaves one without its manifest
                set_aside(folder, self.root, f"{folder} has no manifest")
            aside.chmod(0o755)  # a store may be shared: others may read
            aside.rename(folder)
            shutil.rmtree(self.unfinished(folder.name), ignore_errors=True)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        self._verified[folder] = signature(folder)
        return Checkpoint(folder, manifest, built=True)

    def _folder(self, key: str) -> Path:
        return self.within(self.root / CHECKPOINTS) / key[:24]
