"""What a checkpoint is and what it took, as the manifest of its folder says."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tunescale_core.errors import DamagedError, StaleError
from tunescale_core.provenance import Provenance
from tunescale_core.sensors.readings import Readings
from tunescale_core.store.files import FileSum
from tunescale_core.store.identity import key_of
from tunescale_core.store.sealed import sealed, unsealed

SCHEMA_VERSION = 2
"""Of a manifest: 2 has the hash of every file, and its own."""
MANIFEST = "manifest.json"
ADVICE = "; delete the folder to build it again"
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


def written(manifest: Manifest) -> str:
    """Return a manifest as its file has it, with the hash of all it says."""
    return sealed(json.loads(manifest.model_dump_json())).decode()


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
        said = unsealed(path.read_text(encoding="utf-8"))
        _check_schema(path, said.content.get("schema_version"))
        manifest = Manifest.model_validate(said.content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read{ADVICE}") from error
    if manifest.key != key_of(manifest.identity):
        raise DamagedError(f"{path} names another checkpoint ({manifest.key[:12]}) than it describes{ADVICE}")
    if not said.whole:
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
