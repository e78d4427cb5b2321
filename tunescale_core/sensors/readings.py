"""What is read of a device during a block, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict

SHORTEST = 0.2
"""Seconds a block must last for shares of processor time: the system counts that time in hundredths of a second."""


BUSY = 0.25
"""Cores' worth of other processes' load, or processes on a card, from which a time says less of a model."""


class Readings(BaseModel):
    """What was read during a block; None is what the machine did not say, never a guess."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_bytes: int | None = None
    """Peak, in bytes: what the accelerator's allocator had handed out, or on a CPU what the process had resident."""
    reserved_bytes: int | None = None
    """Peak, in bytes: what CUDA's allocator held, handed out or not; None on a CPU."""
    clock_mhz: float | None = None
    """Mean, in MHz: of the card's streaming multiprocessors, or of the CPU's cores."""
    clock_min_mhz: float | None = None
    """The lowest sample, in MHz, of what `clock_mhz` is the mean of."""
    temperature_c: float | None = None
    """Highest, in degrees Celsius: of the card, or of the CPU where the system reads it."""
    power_w: float | None = None
    """Mean draw of the whole card, in watts; None on a CPU."""
    energy_j: float | None = None
    """Of the whole card, in joules, by its own counter, which moves some ten times a second; None without one."""
    utilisation: float | None = None
    """0 to 1: mean share of time in which a kernel ran on the card, or this process's share of all the CPU's cores.

    A CPU's counts child processes in, and is None for a block under `SHORTEST`.
    """
    others: int | float | None = None
    """Who else was there: on a card the most other processes at once; on a CPU the cores' worth of others' load.

    A CPU's counts the whole machine, beyond a container too, and is None for a block under `SHORTEST`.
    """

    @property
    def busy(self) -> bool:
        """Whether others left a time doubtful; a machine that does not say is given the benefit of the doubt."""
        return self.others is not None and self.others >= BUSY


@dataclass
class Tally:
    """Count, sum and extremes of samples, those that could not be had left out."""

    count: int = 0
    total: float = 0.0
    least: float | None = None
    most: float | None = None

    def add(self, value: float | None) -> None:
        """Take a sample in."""
        if value is None:
            return
        self.count += 1
        self.total += value
        self.least = value if self.least is None else min(self.least, value)
        self.most = value if self.most is None else max(self.most, value)

    @property
    def mean(self) -> float | None:
        """The mean of the samples, None if there is none."""
        return self.total / self.count if self.count else None


class Meter(Protocol):
    """Reads one kind of device; all but `begin` and `end` are called from the sampling thread."""

    def begin(self) -> None:
        """Read what a block starts from."""

    def quick(self) -> None:
        """Sample what is read every `QUICK` seconds."""

    def slow(self) -> None:
        """Sample what is read every `SLOW` seconds."""

    def peak(self) -> int | None:
        """Return the memory's peak so far, in bytes."""

    def end(self) -> Readings:
        """Return what the block came to."""
