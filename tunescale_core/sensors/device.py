"""Reads a device while something is measured, from a thread that takes little of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tunescale_core.sensors.card import CardMeter, on_card
from tunescale_core.sensors.cpu import ProcessorMeter
from tunescale_core.sensors.readings import Meter, Readings

QUICK = 0.1
"""Seconds between samples of what changes fast: resident memory; a card's clock and power."""
SLOW = 1.0
"""Seconds between samples of what changes slowly, or costs more: temperature, utilisation, others; a CPU's clock."""
SHARE = 0.005
"""Of one core, the most that either kind of sampling may take; where it would take more, it is done less often."""


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
        self._meter: Meter = CardMeter(self._device) if on_card(self._device) else ProcessorMeter()
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
