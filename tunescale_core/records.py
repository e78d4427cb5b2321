"""What one cell measured, to and from disk."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tunescale_core.checkpoints import TrainingCost
from tunescale_core.errors import RecordError
from tunescale_core.provenance import Provenance

SCHEMA_VERSION = 1


class Frozen(BaseModel):
    """A frozen part of a record; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Line(Frozen):
    """One example of a cell: what was said, how long it took, what it is worth."""

    example: str
    """The example's id in its data."""
    gold: tuple[str, ...]
    text: str
    answer: str | None
    """The parsed answer; "" abstains, None could not be read."""
    tokens: int
    finish: str
    reasoning_tokens: int
    seconds: float | None
    """None where the example went through the batched pass."""
    first_token_seconds: float | None
    scores: dict[str, float]


class Stages(Frozen):
    """Seconds a cell spent, by stage."""

    prepare: float
    generate: float
    """Timed single calls and their warm-up."""
    batch: float
    score: float
    total: float


class Record(Frozen):
    """Everything one cell measured, or the error it met."""

    schema_version: int = SCHEMA_VERSION
    study: str
    cell: str
    model: str
    method: str
    rank: int | None
    trained_on: str | None
    task: str
    kind: str
    """Which kind of task that is."""
    seed: int | None
    key: str | None
    """SHA-256 over checkpoint, evaluation data and protocol; None where the cell failed before it was known."""
    metrics: dict[str, float | None] = {}
    lines: tuple[Line, ...] = ()
    left_out: int = 0
    """Data rows that the task could not ask."""
    stages: Stages | None = None
    peak_memory_bytes: int | None = None
    cost: TrainingCost | None = None
    """Of the variant's training; None for an untuned model."""
    protocol: dict[str, object] = {}
    provenance: Provenance | None = None
    error: str | None = None

    @property
    def seconds(self) -> tuple[float, ...]:
        """The timed calls' durations."""
        return tuple(line.seconds for line in self.lines if line.seconds is not None)

    @property
    def mean_latency(self) -> float | None:
        """Mean seconds of a timed call; None where none was timed."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else None

    @property
    def mean_tokens(self) -> float | None:
        """Mean tokens of an answer, over all examples."""
        return sum(line.tokens for line in self.lines) / len(self.lines) if self.lines else None


def write(record: Record, folder: Path) -> Path:
    """Write a record under its cell's name, aside first and then renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{record.cell}.json"
    handle, aside = tempfile.mkstemp(dir=folder, prefix=".record-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(record.model_dump_json(indent=1))
    Path(aside).chmod(0o644)  # a store may be shared: others may read
    Path(aside).replace(target)
    return target


def read(path: Path) -> Record:
    """Read one record.

    Raises:
        RecordError: It is of another schema, or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content.get("schema_version")
    except (OSError, ValueError, AttributeError) as error:
        raise RecordError(f"record {path} cannot be read: {error}") from error
    if found != SCHEMA_VERSION:
        raise RecordError(f"record {path} has schema {found}, this version reads {SCHEMA_VERSION}; measure it again")
    try:
        return Record.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        raise RecordError(f"record {path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error


def read_all(folder: Path) -> tuple[Record, ...]:
    """Read every record of a folder, by name.

    Raises:
        RecordError: One cannot be read, or there is none.
    """
    found = tuple(read(path) for path in sorted(folder.glob("*.json")))
    if not found:
        raise RecordError(f"folder {folder} holds no records: run pytest benchmarks first, or give --store")
    return found
