"""The CPU and this process on it: real load, and made-up answers of the operating system."""

import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from tunescale_core.sensors.processor import Load, Processor

BUSY = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass"


def loaded() -> Load:
    found = Processor().load()
    assert found is not None
    return found


def test_shares_of_time() -> None:
    """In 10 s on 4 cores, 8 s of one's own are a fifth of them, and the other 12 busy ones are 1.2 cores."""
    before, after = Load(at=5, busy=100, own=1, cores=4), Load(at=15, busy=120, own=9, cores=4)
    assert after.share_since(before) == pytest.approx(0.2)
    assert after.others_since(before) == pytest.approx(1.2)


def test_shares_stay_within_bounds() -> None:
    """The counters' coarseness makes no share above one and no load below none."""
    before, after = Load(at=0, busy=0, own=0, cores=1), Load(at=1, busy=1, own=1.01, cores=1)
    assert after.share_since(before) == 1
    assert after.others_since(before) == 0


def test_own_time_is_counted() -> None:
    """Work in this process is its own."""
    before = loaded()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert loaded().own - before.own == pytest.approx(0.2, abs=0.1)


def test_time_of_children_that_ended_is_kept() -> None:
    """A child's work counts as one's own while it lives and after it has ended."""
    before = loaded()
    child = subprocess.Popen([sys.executable, "-c", BUSY.format(seconds=0.4) + "\nprint(flush=True)\ninput()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdout is not None
    child.stdout.readline()
    alive = loaded()
    child.communicate(b"\n")
    ended = loaded()
    assert alive.own - before.own >= 0.35
    half_a_tick = 0.005  # the same ticks, added in another order, may make another float
    assert ended.own > alive.own - half_a_tick


def test_waiting_for_a_disk_and_guests_are_not_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle cores and those that wait are free; a guest's time is within its host's; stolen time is busy."""
    times = {"user": 10.0, "system": 5.0, "steal": 2.0, "idle": 100.0, "iowait": 50.0, "guest": 4.0, "guest_nice": 1.0}
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(_asdict=lambda: times))
    assert loaded().busy == 17


def test_resident_memory() -> None:
    """The resident size is the operating system's."""
    assert Processor().resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)


def test_hottest_of_the_cpus_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The temperature is the CPU's highest, whatever a disk's is."""
    found = {name: [SimpleNamespace(current=heat) for heat in heats]
             for name, heats in {"coretemp": (50.0, 61.5), "nvme": (80.0,)}.items()}  # fmt: skip
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found, raising=False)
    assert Processor().temperature_c() == 61.5


def failing() -> None:
    raise NotImplementedError


@pytest.mark.parametrize("answer", [None, failing, lambda: None])
def test_a_system_that_does_not_say(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """Clock and temperature that a system does not have, or fails to give, are None."""
    for question in ("cpu_freq", "sensors_temperatures"):
        if answer is None:
            monkeypatch.delattr(psutil, question, raising=False)
        else:
            monkeypatch.setattr(psutil, question, answer, raising=False)
    assert (Processor().clock_mhz(), Processor().temperature_c()) == (None, None)


def test_counters_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine's counters are closed there is no load."""

    def closed() -> None:
        raise PermissionError

    monkeypatch.setattr(psutil, "cpu_times", closed)
    assert Processor().load() is None
