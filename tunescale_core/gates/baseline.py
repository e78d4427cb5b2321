"""A baseline: the records of a run worth holding later ones against, small enough to commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tunescale_core.pace.pace import Pace
from tunescale_core.results import Result


@dataclass(frozen=True)
class Timing:
    """A case's rounds as pytest-benchmark saved them."""

    mean: float
    """Seconds of a call."""
    deviation: float
    """Standard deviation of the rounds, in seconds."""
    rounds: int
    machine: Mapping[str, str] = field(default_factory=dict)
    """What the file says of the machine: processor, its cores, system."""


@dataclass(frozen=True)
class Baseline:
    """What a run is held against."""

    name: str
    source: Path
    results: Mapping[str, Result] = field(default_factory=dict)
    """By the case's id, failed ones among them."""
    paces: tuple[Pace, ...] = ()
    timings: Mapping[str, Timing] = field(default_factory=dict)
    """By the case's id; of a pytest-benchmark file, which has nothing else."""
