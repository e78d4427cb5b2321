"""Which variants have a pace of their own: the values of weights take no time, their shapes and their serving do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tunescale_core.study.grid import Cell, Variant
from tunescale_core.study.grid import reference as reference_variant
from tunescale_core.study.serving import EAGER
from tunescale_core.study.study import Study

UNPACED = {
    "static": "it compiles anew in each process, for longer than a block takes",
    "endpoint": "a server answers, which cannot be held to one length",
}
"""Modes of serving that have no pace, and why."""


@dataclass(frozen=True)
class PaceClass:
    """Variants of one model, method and way of serving, whatever their training task and seed."""

    subject: Variant
    """The one that stands for all of them."""
    serving: str = EAGER

    @property
    def id(self) -> str:
        """What the class is called: `mini-small-lora-r4`, and `mini-small-lora-r4-via-adapter`."""
        via = "" if self.serving == EAGER else f"-via-{self.serving}"
        return f"{self.subject.model}-{self.subject.method}{via}"


@dataclass(frozen=True)
class Unpaced:
    """A class that is not paced."""

    id: str
    why: str


def reference_of(study: Study) -> PaceClass:
    """Return the class that others are held against.

    Raises:
        StudyError: The study names a reference that is none of its variants.
    """
    return PaceClass(reference_variant(study))


def paced(study: Study, cells: Iterable[Cell]) -> tuple[PaceClass, ...]:
    """Return the classes of the selected cells, the first cell's variant of each; the reference first, always.

    Raises:
        StudyError: The study names a reference that is none of its variants.
    """
    found = (PaceClass(cell.variant, cell.serving) for cell in cells if study.served(cell.serving).mode not in UNPACED)
    return _distinct((reference_of(study), *found))


def unpaced(study: Study, cells: Iterable[Cell]) -> tuple[Unpaced, ...]:
    """Return the selected cells' classes that have no pace, and why."""
    found = [PaceClass(cell.variant, cell.serving) for cell in cells if study.served(cell.serving).mode in UNPACED]
    return tuple(Unpaced(one.id, UNPACED[study.served(one.serving).mode]) for one in _distinct(found))


def _distinct(found: Iterable[PaceClass]) -> tuple[PaceClass, ...]:
    first: dict[str, PaceClass] = {}
    for one in found:
        first.setdefault(one.id, one)
    return tuple(first.values())
