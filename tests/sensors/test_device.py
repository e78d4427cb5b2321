"""A device is read while a block runs: from a thread that ends with it and takes little of it."""

import mmap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tunescale_core.sensors.device import QUICK, SHARE, Beat, Sensors
from tunescale_core.sensors.readings import Readings

MEBI = 2**20


def read(device: str, seconds: float = 0.0) -> Readings:
    with Sensors(device) as sensors:
        time.sleep(seconds)
    return sensors.readings


@contextmanager
def held() -> Iterator[None]:
    """Hold 100 MiB of memory that the system has back at once; an allocator may keep what it is given back."""
    with mmap.mmap(-1, 100 * MEBI) as memory:
        memory.write(b"\1" * (100 * MEBI))
        yield


def test_an_empty_block_has_the_resident_size() -> None:
    """Even a block too short to be sampled twice reports what the process holds."""
    assert read("cpu").memory_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)


def test_memory_freed_inside_is_counted() -> None:
    """The peak holds what was allocated in the block even if it was freed before the end."""
    with Sensors("cpu") as sensors:
        with held():
            time.sleep(4 * QUICK)
            # Read here and not before the block: what else this process holds may be given back at any moment.
            high = psutil.Process().memory_info().rss
        low = psutil.Process().memory_info().rss
    assert sensors.readings.memory_bytes is not None
    assert high - low > 90 * MEBI
    assert sensors.readings.memory_bytes > high - 5 * MEBI


def test_sampling_ends_with_the_block() -> None:
    """No thread is left behind, whether the block ends well or raises, and what it raised comes through."""
    before = threading.active_count()
    with Sensors("cpu"):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    failing = Sensors("cpu")
    with pytest.raises(RuntimeError, match="inside"), failing:
        raise RuntimeError("inside")
    assert threading.active_count() == before
    assert failing.readings.memory_bytes is not None


def test_nested_blocks_each_have_their_own() -> None:
    """A block inside another starts from its own beginning, and the outer one sees what it did."""
    with Sensors("cpu") as outer:
        with held():
            time.sleep(4 * QUICK)
        with Sensors("cpu") as inner:
            time.sleep(QUICK)
    assert outer.readings.memory_bytes is not None
    assert inner.readings.memory_bytes is not None
    assert outer.readings.memory_bytes - inner.readings.memory_bytes > 90 * MEBI


def test_one_object_reads_again() -> None:
    """A second block of the same object has readings of its own."""
    sensors = Sensors("cpu")
    with sensors:
        pass
    first = sensors.readings
    with sensors:
        pass
    assert sensors.readings is not first


def test_other_accelerators_are_read_as_this_process() -> None:
    """A device without readings of its own has the process's."""
    assert read("mps").memory_bytes


def test_costly_sampling_is_done_less_often() -> None:
    """What takes more than its share of a core waits until it is within it."""

    def work() -> None:
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass

    costly, cheap = Beat(work, 0.0), Beat(lambda: None, 0.5)
    began = time.perf_counter()
    costly.strike()
    assert costly.due - began >= 0.01 / SHARE
    assert cheap.due - began == pytest.approx(0.5, abs=0.2)


def test_beat_waits_until_it_is_due() -> None:
    """Nothing is called before its time."""
    calls: list[int] = []
    Beat(lambda: calls.append(1), 60).strike()
    assert calls == []
