"""Peak memory of a block on a CPU: real allocations, sampled."""

import threading
import time

import psutil
import pytest

from tunescale_core.memory import INTERVAL, PeakMemory

MEBI = 2**20


def test_an_empty_block_has_the_resident_size() -> None:
    """Even a block too short to be sampled twice reports what the process holds."""
    with PeakMemory("cpu") as memory:
        pass
    assert memory.peak == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)
    assert memory.peak > MEBI


def test_memory_freed_inside_is_counted() -> None:
    """The peak holds what was allocated in the block even if it was freed before the end."""
    with PeakMemory("cpu") as empty:
        pass
    with PeakMemory("cpu") as memory:
        held = bytearray(b"x") * (256 * MEBI)
        time.sleep(6 * INTERVAL)
        del held
    assert memory.peak - empty.peak > 200 * MEBI


def test_sampling_ends_with_the_block() -> None:
    """No thread is left behind, whether the block ends well or raises."""
    before = threading.active_count()
    with PeakMemory("cpu"):
        assert threading.active_count() == before + 1
    with pytest.raises(RuntimeError, match="inside"), PeakMemory("cpu"):
        raise RuntimeError("inside")
    assert threading.active_count() == before
