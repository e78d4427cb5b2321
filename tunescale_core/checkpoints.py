"""The content-addressed store: a checkpoint is built once, found by what decides its weights."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from tunescale_core.errors import StoreError
from tunescale_core.provenance import WEIGHT_PACKAGES, Provenance, versions
from tunescale_core.sensors.device import Readings

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"


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
    rows_cut: int = 0
    """Rows that were longer than `max_length` and lost their end, the answer in it."""
    readings: Readings | None = None
    """Of the device during the optimisation."""
    plan: dict[str, object] = {}
    """How a step was cut: micro-batch, accumulation, activation checkpointing, padding."""


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
    provenance: Provenance
    weights_sha256: str
    """Of `model/model.safetensors`, or of its shards in order of name."""


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
        "schema": SCHEMA_VERSION,
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

    def obtain(self, key: str, build: Callable[[Path], Manifest]) -> Checkpoint:
        """Return the checkpoint of a key, building it first where it is missing.

        Processes that want the same key wait for one another. `build` fills a folder aside and returns
        the manifest; the manifest is written last and the folder then renamed into place.

        Raises:
            StoreError: The folder there is not what its manifest says.
        """
        if found := self.find(key):
            return found
        locks = self.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{key}.lock"):
            if found := self.find(key):
                return found
            return self._build(key, build)

    def find(self, key: str) -> Checkpoint | None:
        """Return the checkpoint of a key if it is there and whole.

        Raises:
            StoreError: Its manifest is of another schema, unreadable, or another checkpoint's.
        """
        folder = self._folder(key)
        path = folder / MANIFEST
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.get("schema_version") != SCHEMA_VERSION:
                raise StoreError(
                    f"{path}: schema {content.get('schema_version')}, this version reads {SCHEMA_VERSION}; "
                    "delete the folder to build it again"
                )
            manifest = Manifest.model_validate(content)
        except (ValidationError, ValueError, AttributeError) as error:
            raise StoreError(f"{path} cannot be read; delete the folder to build it again") from error
        if manifest.key != key:
            raise StoreError(
                f"{path} names another checkpoint ({manifest.key[:12]}); delete the folder to build it again"
            )
        if not (folder / "model").is_dir():
            raise StoreError(f"{folder} has a manifest but no model; delete the folder to build it again")
        return Checkpoint(folder, manifest, built=False)

    def _build(self, key: str, build: Callable[[Path], Manifest]) -> Checkpoint:
        folder = self._folder(key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{key[:12]}-", dir=folder.parent))
        try:
            manifest = build(aside)
            (aside / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
            if folder.exists():  # without a manifest it is debris, never a checkpoint
                shutil.rmtree(folder)
            aside.chmod(0o755)  # a store may be shared: others may read
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return Checkpoint(folder, manifest, built=True)

    def _folder(self, key: str) -> Path:
        return self.root / "checkpoints" / key[:24]


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 over a model folder's safetensors, in order of name."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
