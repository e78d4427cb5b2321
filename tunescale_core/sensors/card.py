"""A CUDA card's readings during a block, and who else holds it."""

from __future__ import annotations

import os
import threading
import warnings
from typing import ClassVar

from tunescale_core.sensors.nvml import Card, Holder, opened
from tunescale_core.sensors.readings import Readings, Tally


class SharedDeviceWarning(UserWarning):
    """Another process holds the card that is being measured."""


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
    if _TOLD.is_set() or not on_card(device):
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


def on_card(device: str) -> bool:
    """Tell whether a device is a CUDA card."""
    return device.partition(":")[0] == "cuda"


def _index_of(device: str) -> int:
    import torch

    index = torch.device(device).index
    return torch.cuda.current_device() if index is None else index


def _uuid_of(index: int) -> str | None:
    import torch

    uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
    return None if uuid is None else str(uuid)
