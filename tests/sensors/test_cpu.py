"""What is read of this CPU during a block."""

import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from tunescale_core.sensors.cpu import ProcessorMeter
from tunescale_core.sensors.device import Sensors
from tunescale_core.sensors.processor import Processor
from tunescale_core.sensors.readings import SHORTEST, Readings


def read(device: str, seconds: float = 0.0) -> Readings:
    with Sensors(device) as sensors:
        time.sleep(seconds)
    return sensors.readings


@pytest.fixture
def apart() -> Iterator[None]:
    """Run a busy process for a while that is no child of this one: its parent has ended."""
    busy = "import os, time\nprint(os.getpid(), flush=True)\nend = time.time() + 20\nwhile time.time() < end: pass"
    start = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {busy!r}])"
    said = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True)
    assert said.stdout is not None
    pid = int(said.stdout.readline())
    said.wait()
    said.stdout.close()
    yield
    psutil.Process(pid).kill()


def test_cpu_has_no_power_and_no_allocator() -> None:
    """What only a card has is None on a CPU."""
    found = read("cpu")
    assert (found.energy_j, found.power_w, found.reserved_bytes) == (None, None, None)


def test_cpu_work_is_utilisation() -> None:
    """A block that computes has a share of the cores, between none and all of them."""
    with Sensors("cpu") as sensors:
        end = time.process_time() + 2 * SHORTEST
        while time.process_time() < end:
            pass
    assert sensors.readings.utilisation is not None
    assert 0 < sensors.readings.utilisation <= 1


def test_short_blocks_have_no_shares() -> None:
    """A block shorter than the system's clock can tell has no share of time, rather than a wrong one."""
    found = read("cpu")
    assert (found.utilisation, found.others) == (None, None)


def test_load_of_unrelated_processes(apart: None) -> None:  # noqa: ARG001
    """A busy process that is no child counts as others' load."""
    others = read("cpu", 1.0).others
    assert others is not None
    assert others > 0.3


def test_no_load_where_counters_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the system's counters the shares are None and the memory is read all the same."""
    monkeypatch.setattr(Processor, "load", lambda _: None)
    found = read("cpu", SHORTEST)
    assert (found.utilisation, found.others) == (None, None)
    assert found.memory_bytes


def test_clock_and_temperature_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the mean with its lowest, the temperature the highest."""
    clocks, heats = iter([3000.0, 1000.0]), iter([50.0, 70.0, 60.0])
    monkeypatch.setattr(Processor, "clock_mhz", lambda _: next(clocks))
    monkeypatch.setattr(Processor, "temperature_c", lambda _: next(heats))
    meter = ProcessorMeter()
    meter.begin()
    meter.slow()
    meter.slow()
    found = meter.end()
    assert (found.clock_mhz, found.clock_min_mhz, found.temperature_c) == (2000, 1000, 70)
