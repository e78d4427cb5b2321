"""How fast a variant is beside a reference: a block a process, the two taking turns inside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError, model_validator

from tunescale_core.errors import RecordError, first_line
from tunescale_core.exhausted import telling
from tunescale_core.placing import place
from tunescale_core.provenance import Provenance
from tunescale_core.reading import json_of
from tunescale_core.records.record import Frozen

YARDSTICK = "yardstick-2"
"""A fixed piece of work that goes through neither transformers nor the decoder: the reference's own reference.

The number changes with the work: paces held against another yardstick cannot be compared."""


class Block(Frozen):
    """One process: one question, answered by both sides in turn (ABBA), at a forced length."""

    question: str
    """`task/id` of the question; of the first one where a call asks several."""
    seconds: float
    """Median seconds of a call of the subject."""
    reference_seconds: float


class Pace(Frozen):
    """A variant's blocks."""

    subject: str
    """Of the class, as `mini-small-lora-r4`, and `mini-small-lora-r4-via-adapter` where it is not served eagerly."""
    reference: str
    """Of the same form, or `YARDSTICK`."""
    tokens: int
    """Of every answer."""
    blocks: tuple[Block, ...]
    provenance: Provenance

    @model_validator(mode="after")
    def _measured(self) -> Pace:
        if not self.blocks:
            raise ValueError("a pace without blocks says nothing")
        return self


@dataclass(frozen=True)
class Measured:
    """What came of measuring."""

    paces: tuple[Pace, ...]
    faults: Mapping[str, str] = field(default_factory=dict)
    """Why a class has none, by its id."""

    def pace(self, subject: str) -> Pace | None:
        """Return a class's pace; None where it has none."""
        return next((one for one in self.paces if one.subject == subject), None)


def paces_beside(records: Path) -> Path:
    """Return where a run's paces are kept, for its folder of records."""
    return records.parent.parent / "paces" / f"{records.name}.json"


def write(paces: Iterable[Pace], path: Path) -> None:
    """Write paces as JSON.

    Raises:
        ResourceError: The disk is full; what was there is left whole.
    """
    with telling(path.name, path):
        path.parent.mkdir(parents=True, exist_ok=True)
    content = [pace.model_dump(mode="json") for pace in paces]
    place(path, json.dumps(content, indent=1).encode())


def read(path: Path) -> tuple[Pace, ...]:
    """Read paces; none where there is no file.

    Raises:
        RecordError: The file is damaged.
    """
    try:
        content = json_of(path.read_text(encoding="utf-8"))
        return tuple(Pace.model_validate(one) for one in content)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, ValidationError) as error:
        raise RecordError(f"paces {path} cannot be read ({first_line(error)}): measure them again") from error
