"""What the operating system says of the CPU and of this process on it; what it will not say is None."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
"""The system's names for a CPU's own sensor: disks and radios have others."""


@dataclass(frozen=True)
class Load:
    """Processor time up to a moment, in seconds of one core."""

    at: float
    """Seconds, on the monotonic clock."""
    busy: float
    """Of the whole machine, with what a hypervisor gave to other machines: that was not to be had here either."""
    own: float
    """Of this process and its children, those that ended counted in."""
    cores: int

    def share_since(self, before: Load) -> float:
        """Return this process's share of all cores, 0 to 1, since a moment."""
        return min(1.0, max(0.0, (self.own - before.own) / (self.at - before.at) / self.cores))

    def others_since(self, before: Load) -> float:
        """Return the cores' worth of other processes' load since a moment."""
        others = (self.busy - before.busy) - (self.own - before.own)
        return max(0.0, others / (self.at - before.at))


class Processor:
    """The CPU, and this process on it."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def resident_bytes(self) -> int:
        """Return what this process has resident, in bytes."""
        return int(self._process.memory_info().rss)

    def clock_mhz(self) -> float | None:
        """Return the cores' present clock, in MHz, their mean."""
        found = _answer("cpu_freq")
        return float(found.current) if found else None

    def temperature_c(self) -> float | None:
        """Return the hottest of the CPU's own sensors, in degrees Celsius."""
        found = _answer("sensors_temperatures") or {}
        return max((float(one.current) for chip in CHIPS for one in found.get(chip, ())), default=None)

    def load(self) -> Load | None:
        """Return the processor time so far."""
        try:
            return Load(time.perf_counter(), _busy(), self._own(), psutil.cpu_count() or 1)
        except (psutil.Error, OSError):
            return None

    def _own(self) -> float:
        # A child's time moves to its parent when the parent takes note of its end, so the sum over the tree keeps it.
        return sum(map(_spent, (self._process, *self._process.children(recursive=True))))


def _spent(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:  # ended just now
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _busy() -> float:
    times = psutil.cpu_times()._asdict()
    # Guests' time is within user time on Linux; waiting for a disk leaves the core free.
    return float(sum(times[name] for name in times.keys() - {"idle", "iowait", "guest", "guest_nice"}))


def _answer(question: str) -> Any:
    ask: Callable[[], Any] | None = getattr(psutil, question, None)  # not every system has every question
    try:
        return ask() if ask else None
    except (psutil.Error, OSError, NotImplementedError, RuntimeError):
        return None
