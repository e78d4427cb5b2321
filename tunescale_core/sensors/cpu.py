"""A CPU's readings during a block: this process's memory and share of it, its clock and its heat."""

from __future__ import annotations

from tunescale_core.sensors.processor import Load, Processor
from tunescale_core.sensors.readings import SHORTEST, Readings, Tally


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
