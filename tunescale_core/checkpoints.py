"""The content-addressed store: a checkpoint is built once, found by what decides its weights."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from tunescale_core.errors import DamagedError, StaleError, StoreError
from tunescale_core.exhausted import telling
from tunescale_core.provenance import WEIGHT_PACKAGES, Provenance, versions
from tunescale_core.reading import json_of
from tunescale_core.sensors.readings import Readings
from tunescale_core.store.aside import set_aside
from tunescale_core.store.files import FileSum, Signature, faults, leads_out, signature, sums

SCHEMA_VERSION = 2
"""Of a manifest: 2 has the hash of every file, and its own."""
IDENTITY_VERSION = 1
"""Of what is hashed into a key: a manifest may change its form without anything being trained again."""
MANIFEST = "manifest.json"
CHECKPOINTS, LOCKS, UNFINISHED = "checkpoints", "locks", "unfinished"
"""The store's folders for them."""
ADVICE = "; delete the folder to build it again"
NAMED = 3
"""Damaged files that a message names, at most."""


DOUBTED = 0.1
"""Share of the rows without their end from which what was taught is doubted."""


class TrainingCost(BaseModel):
    """What a fine-tuning run took and did."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    seconds: float
    """Wall clock of the optimisation alone: loading and saving are not in it."""
    tokens: int
    """Tokens read, prompts included."""
    steps: int
    peak_memory_bytes: int | None
    """Of the whole training: None where the machine does not say."""
    trainable_parameters: int
    parameters: int
    losses: tuple[tuple[int, float], ...]
    """(step, training loss)."""
    rows: int | None = None
    """Of the training data; None of a checkpoint made before that was noted."""
    rows_cut: int = 0
    """Rows that were longer than `max_length` and lost their end, the answer in it."""
    rows_masked: int = 0
    """Of these, rows that were left out since of the tokens to learn none was left."""
    flags: tuple[str, ...] = ()
    """What was seen of the training that makes the checkpoint doubtful, a phrase each: that nothing was learnt, say."""
    readings: Readings | None = None
    """Of the device during the optimisation."""
    plan: dict[str, object] = {}
    """How a step was cut: micro-batch, accumulation, activation checkpointing, padding."""
    resumed_at: tuple[int, ...] = ()
    """Steps at which it was taken up after it had been interrupted; `readings` are of what came after the last."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """What makes the checkpoint doubtful: its flags, and that too many rows lost their end."""
        if not self.rows or self.rows_cut < DOUBTED * self.rows:
            return self.flags
        return (*self.flags, f"{self.rows_cut} of its {self.rows} training rows lost their answer's end to max_length")


class Manifest(BaseModel):
    """What a checkpoint is and what it took; its presence means that the folder is whole."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    schema_version: int
    key: str
    variant: str
    identity: dict[str, object]
    """All that was hashed into the key."""
    cost: TrainingCost
    left_out: dict[str, int] = {}
    """Training rows that were left out, by reason."""
    data: str = ""
    """Where the training rows come from, with the commit of what the hub served."""
    provenance: Provenance
    weights_sha256: str
    """Of `model/model.safetensors`, or of its shards in order of name."""
    files: dict[str, FileSum] = {}
    """Every file of the folder but this one; the store fills it in."""


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


def key_of(identity: dict[str, object]) -> str:
    """Return the SHA-256 of an identity in canonical JSON."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def identity_of(base_revision: str, method: dict[str, object], data: str, seed: int, device: str) -> dict[str, object]:
    """Return all that can change a variant's weights, and nothing else.

    Args:
        base_revision: Of the base model.
        method: The recipe with its rank.
        data: The training examples' fingerprint.
        seed: Of initialisation and order.
        device: Its kind decides the arithmetic.
    """
    return {
        "schema": IDENTITY_VERSION,
        "base": base_revision,
        "method": method,
        "data": data,
        "seed": seed,
        "device": device,
        "versions": versions(WEIGHT_PACKAGES),
    }


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


def written(manifest: Manifest) -> str:
    """Return a manifest as its file has it, with the hash of all it says."""
    content = json.loads(manifest.model_dump_json())
    return json.dumps(content | {"digest": key_of(content)}, indent=1)


def read_manifest(folder: Path) -> Manifest:
    """Read a checkpoint's manifest, and hold it against its own hash and its identity's.

    Raises:
        DamagedError: It is not as it was written, or a link.
        StaleError: It is of another schema.
        OSError: It cannot be read.
    """
    path = folder / MANIFEST
    if folder.is_symlink() or path.is_symlink():
        raise DamagedError(f"{folder if folder.is_symlink() else path} is a link{ADVICE}")
    try:
        content = json_of(path.read_text(encoding="utf-8"))
        _check_schema(path, content.get("schema_version"))
        digest = content.pop("digest", None)
        manifest = Manifest.model_validate(content)
    except (ValueError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read{ADVICE}") from error
    if manifest.key != key_of(manifest.identity):
        raise DamagedError(f"{path} names another checkpoint ({manifest.key[:12]}) than it describes{ADVICE}")
    if digest != key_of(content):
        raise DamagedError(f"{path} was changed after it was written{ADVICE}")
    return manifest


def _check_schema(path: Path, found: object) -> None:
    if found == SCHEMA_VERSION:
        return
    root = path.parent.parent.parent
    way = f"run tunescale store migrate --store {root}"
    if not isinstance(found, int) or found > SCHEMA_VERSION:
        way = f"use a newer TuneScale, run tunescale store prune --stale --store {root}"
    raise StaleError(f"{path}: schema {found}, this version reads {SCHEMA_VERSION}; {way}, or{ADVICE[1:]}")


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 over a model folder's safetensors, in order of name."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
