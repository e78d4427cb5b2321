"""What a device does while something is measured: memory, clock, heat, power, and who else is using it."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Protocol, Self

from pydantic import BaseModel, ConfigDict

from tunescale_core.sensors.nvml import Card, Holder, opened
from tunescale_core.sensors.processor import Load, Processor

QUICK = 0.1
"""Seconds between samples of what changes fast: resident memory; a card's clock and power."""
SLOW = 1.0
"""Seconds between samples of what changes slowly, or costs more: temperature, utilisation, others; a CPU's clock."""
SHARE = 0.005
"""Of one core, the most that either kind of sampling may take; where it would take more, it is done less often."""
SHORTEST = 0.2
"""Seconds a block must last for shares of processor time: the system counts that time in hundredths of a second."""


class SharedDeviceWarning(UserWarning):
    """Another process holds the card that is being measured."""


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


class Sensors:
    """Reads a device while its `with` block runs; `readings` hold what was seen afterwards.

    A thread samples every `QUICK` and `SLOW` seconds; on two cores of an EPYC it took 0.3 % of one (half of that
    is waking up). What a card's driver takes to answer has not been measured: wherever the answers take more than
    `SHARE` of a core, they are asked for less often. Blocks may be nested; one object reads one block at a time.
    """

    def __init__(self, device: str) -> None:
        self.readings = Readings()
        self._device = device
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self._done.clear()
        self._meter: Meter = CardMeter(self._device) if _on_card(self._device) else ProcessorMeter()
        self._meter.begin()
        self._thread = threading.Thread(target=self._sample, name="sensors", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        # A block too short for a sample still has one, taken where its work has just been done.
        self._meter.quick()
        self._meter.slow()
        self.readings = self._meter.end()

    def peak(self) -> int | None:
        """Return the memory's peak so far in the block that is open, in bytes."""
        return self._meter.peak()

    def _sample(self) -> None:
        beats = (Beat(self._meter.quick, QUICK), Beat(self._meter.slow, SLOW))
        while not self._done.wait(max(0.0, min(beat.due for beat in beats) - time.perf_counter())):
            for beat in beats:
                beat.strike()


class Beat:
    """Calls a function at an interval, or less often where it takes more than `SHARE` of a core."""

    def __init__(self, function: Callable[[], None], interval: float) -> None:
        self.due = time.perf_counter() + interval
        self._function = function
        self._interval = interval

    def strike(self) -> None:
        """Call the function if it is due."""
        if time.perf_counter() < self.due:
            return
        began = time.thread_time()
        self._function()
        self.due = time.perf_counter() + max(self._interval, (time.thread_time() - began) / SHARE)


class ProcessorMeter:
    """Reads the CPU and this process on it."""

    def __init__(self) -> None:
        self._processor = Processor()
        self._memory = 0
        self._clock, self._temperature = Tally(), Tally()

    def begin(self) -> None:
        """Note the resident size and the processor time so far."""
        self.quick()
        # Looking for sensors that are not there costs more than all other samples together.
        self._heated = self._processor.temperature_c() is not None
        self._began: Load | None = self._processor.load()

    def quick(self) -> None:
        """Sample the resident size."""
        self._memory = max(self._memory, self._processor.resident_bytes())

    def slow(self) -> None:
        """Sample clock and temperature; on many cores reading the clock wakes each of them, so not often."""
        self._clock.add(self._processor.clock_mhz())
        if self._heated:
            self._temperature.add(self._processor.temperature_c())

    def peak(self) -> int:
        """Sample the resident size once more and return its peak."""
        self.quick()
        return self._memory

    def end(self) -> Readings:
        """Return peaks, means, and the shares of processor time."""
        utilisation, others = self._shares()
        return Readings(
            memory_bytes=self._memory,
            clock_mhz=self._clock.mean,
            clock_min_mhz=self._clock.least,
            temperature_c=self._temperature.most,
            utilisation=utilisation,
            others=others,
        )

    def _shares(self) -> tuple[float | None, float | None]:
        began, ended = self._began, self._processor.load()
        if began is None or ended is None or ended.at - began.at < SHORTEST:
            return None, None
        return ended.share_since(began), ended.others_since(began)


class CardMeter:
    """Reads a CUDA card: memory from torch's allocator, the rest from NVML."""

    def __init__(self, device: str) -> None:
        self._index = _index_of(device)
        # torch numbers the cards it may see, NVML all there are: the UUID is what they agree on.
        self._card = Card(_uuid_of(self._index))
        self._peaks = Peaks(self._index)
        self._clock, self._power = Tally(), Tally()
        self._temperature, self._utilisation, self._others = Tally(), Tally(), Tally()

    def begin(self) -> None:
        """Reset the allocator's peaks and note the energy counter."""
        self._card.open()
        self._others.add(_count(others_on(self._card, self._index)))
        self._peaks.begin()
        self._energy = self._card.energy_j()

    def quick(self) -> None:
        """Sample clock and power."""
        self._clock.add(self._card.clock_mhz())
        self._power.add(self._card.power_w())

    def slow(self) -> None:
        """Sample temperature, utilisation and the card's holders."""
        self._temperature.add(self._card.temperature_c())
        self._utilisation.add(self._card.utilisation())
        self._others.add(_count(others_on(self._card, self._index)))

    def peak(self) -> int:
        """Return the peak of what the allocator handed out."""
        return self._peaks.note()

    def end(self) -> Readings:
        """Return peaks, means and the energy used, and let NVML go."""
        energy = self._card.energy_j()
        self._card.close()
        allocated, reserved = self._peaks.end()
        return Readings(
            memory_bytes=allocated,
            reserved_bytes=reserved,
            clock_mhz=self._clock.mean,
            clock_min_mhz=self._clock.least,
            temperature_c=self._temperature.most,
            power_w=self._power.mean,
            energy_j=None if energy is None or self._energy is None else energy - self._energy,
            utilisation=self._utilisation.mean,
            others=None if self._others.most is None else int(self._others.most),
        )


class Peaks:
    """The CUDA allocator's peaks over a block, in bytes, whatever blocks are nested in it."""

    _open: ClassVar[list[Peaks]] = []

    def __init__(self, index: int) -> None:
        self._index = index
        self._allocated = self._reserved = 0

    def begin(self) -> None:
        """Start anew; blocks already open keep what they have seen, which resetting would lose."""
        import torch

        for outer in Peaks._open:
            outer.note()
        torch.cuda.reset_peak_memory_stats(self._index)
        Peaks._open.append(self)

    def note(self) -> int:
        """Take in the allocator's peaks since the last reset, and return that of what was handed out."""
        import torch

        self._allocated = max(self._allocated, torch.cuda.max_memory_allocated(self._index))
        self._reserved = max(self._reserved, torch.cuda.max_memory_reserved(self._index))
        return self._allocated

    def end(self) -> tuple[int, int]:
        """Return the peaks of what was handed out and of what was held."""
        self.note()
        Peaks._open.remove(self)
        return self._allocated, self._reserved


def others_on(card: Card, index: int) -> tuple[Holder, ...] | None:
    """Return the processes on an open card that are not this one; None where the driver does not show them.

    Args:
        card: Open.
        index: The same card's, as torch numbers it.
    """
    holders = card.holders()
    if holders is None:
        return None
    if any(holder.pid == os.getpid() for holder in holders):
        return tuple(holder for holder in holders if holder.pid != os.getpid())
    import torch

    held = torch.cuda.memory_reserved(index)
    if not held:
        return holders
    # This process has memory there and is not among the holders by its number, so the numbers are of another
    # namespace (a container's host). One holder is this process: the one whose memory is nearest to what is held
    # here. With no holder at all the driver hides them, and whether there are others cannot be known.
    if not holders:
        return None
    own = min(holders, key=lambda holder: abs((holder.memory_bytes or 0) - held))
    return tuple(holder for holder in holders if holder is not own)


_TOLD = threading.Event()


def warn_if_shared(device: str) -> None:
    """Warn, once in a process, if another process holds the card; a CPU is always shared and never warned of.

    Warns:
        SharedDeviceWarning: How many others there are, and the memory they hold, in GB.
    """
    if _TOLD.is_set() or not _on_card(device):
        return
    index = _index_of(device)
    with opened(_uuid_of(index)) as card:
        others = others_on(card, index)
    if others:
        _TOLD.set()
        warnings.warn(_shared(others), SharedDeviceWarning, stacklevel=2)


def _shared(others: tuple[Holder, ...]) -> str:
    who = "another process holds" if len(others) == 1 else f"{len(others)} other processes hold"
    known = [holder.memory_bytes for holder in others if holder.memory_bytes is not None]
    memory = f"{sum(known) / 1e9:.1f} GB of it" if len(known) == len(others) else "memory of it that is not told"
    return f"{who} the card, with {memory}: timings are not to be trusted"


def _count(others: tuple[Holder, ...] | None) -> int | None:
    return None if others is None else len(others)


def _on_card(device: str) -> bool:
    return device.partition(":")[0] == "cuda"


def _index_of(device: str) -> int:
    import torch

    index = torch.device(device).index
    return torch.cuda.current_device() if index is None else index


def _uuid_of(index: int) -> str | None:
    import torch

    uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
    return None if uuid is None else str(uuid)
