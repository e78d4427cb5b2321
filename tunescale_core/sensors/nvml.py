"""What NVIDIA's management library (NVML) says of a card; what it will not say is None, and nothing here raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Holder:
    """A process that computes on a card."""

    pid: int
    """As the driver numbers it: in a container that may be the host's number."""
    memory_bytes: int | None
    """Of the card's memory; None where the driver does not say."""


class Card:
    """One card by its UUID, asked between `open` and `close`; every answer is None where there is none."""

    def __init__(self, uuid: str | None) -> None:
        self._uuid = uuid
        self._nvml: ModuleType | None = None
        self._handle: Any = None

    def open(self) -> None:
        """Start the library and find the card; without library, driver or card the answers are None."""
        self._nvml = _started()
        if self._nvml is None or self._uuid is None:
            return
        # torch gives the bare UUID; a slice of a card has its own, under its own prefix.
        for prefix in ("GPU-", "MIG-"):
            self._handle = _asked(self._nvml, "nvmlDeviceGetHandleByUUID", prefix + self._uuid)
            if self._handle is not None:
                return

    def close(self) -> None:
        """Give the library back, if it was started."""
        if self._nvml is not None:
            _asked(self._nvml, "nvmlShutdown")
        self._nvml = self._handle = None

    def clock_mhz(self) -> int | None:
        """Return the present clock of the streaming multiprocessors, in MHz."""
        return self._number("nvmlDeviceGetClockInfo", "NVML_CLOCK_SM")

    def power_w(self) -> float | None:
        """Return the present draw of the card, in watts."""
        return _scaled(self._number("nvmlDeviceGetPowerUsage"), 1e-3)

    def energy_j(self) -> float | None:
        """Return the energy used since the driver was loaded, in joules."""
        return _scaled(self._number("nvmlDeviceGetTotalEnergyConsumption"), 1e-3)

    def temperature_c(self) -> int | None:
        """Return the present temperature of the chip, in degrees Celsius."""
        # CUDA 14 drops the older function, and older drivers lack the newer one.
        new = self._number("nvmlDeviceGetTemperatureV", "NVML_TEMPERATURE_GPU")
        return self._number("nvmlDeviceGetTemperature", "NVML_TEMPERATURE_GPU") if new is None else new

    def utilisation(self) -> float | None:
        """Return the share, 0 to 1, of the driver's last period (up to a second) in which a kernel ran."""
        rates = self._about("nvmlDeviceGetUtilizationRates")
        return None if rates is None else float(rates.gpu) / 100

    def holders(self) -> tuple[Holder, ...] | None:
        """Return the processes that compute on the card, as far as the driver shows them."""
        found = self._about("nvmlDeviceGetComputeRunningProcesses")
        return None if found is None else tuple(Holder(int(one.pid), one.usedGpuMemory) for one in found)

    def _number(self, question: str, constant: str | None = None) -> int | None:
        value = self._about(question, constant)
        return None if value is None else int(value)

    def _about(self, question: str, constant: str | None = None) -> Any:
        if self._nvml is None or self._handle is None:
            return None
        more = () if constant is None else (getattr(self._nvml, constant),)
        return _asked(self._nvml, question, self._handle, *more)


@contextmanager
def opened(uuid: str | None) -> Iterator[Card]:
    """Open a card for a block."""
    card = Card(uuid)
    card.open()
    try:
        yield card
    finally:
        card.close()


def driver_version() -> str | None:
    """Return the version of the NVIDIA driver, or None without one."""
    nvml = _started()
    if nvml is None:
        return None
    try:
        version = _asked(nvml, "nvmlSystemGetDriverVersion")
    finally:
        _asked(nvml, "nvmlShutdown")
    return None if version is None else str(version)


def _started() -> ModuleType | None:
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _asked(nvml: ModuleType, question: str, *about: Any) -> Any:
    try:
        return getattr(nvml, question)(*about)
    except (nvml.NVMLError, AttributeError):  # not supported, not allowed, or newer than the package
        return None


def _scaled(value: int | None, factor: float) -> float | None:
    return None if value is None else value * factor
