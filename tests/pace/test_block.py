"""A block: two sides in turn."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.siding import Steady
from tunescale_core.pace.block import QUEUED, WARM_UPS, Queue, Work, ran, timed

BESIDE = """
import os, subprocess, sys, time
from tunescale_core.pace.block import Queue

def clocked(function, *words):
    began = time.perf_counter()
    function(*words)
    return time.perf_counter() - began

def least(function, *words):
    with Queue() as queue:
        return min(queue.less(lambda: clocked(function, *words))() for _ in range(9))

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
alone = least(sum, range(2_000_000))
others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
print(alone, least(sum, range(2_000_000)), least(time.sleep, 0.05))
for other in others:
    other.kill()
    other.wait()
"""
"""Seconds of a computation alone, of the same beside two others on one processor, and of a sleep there."""


def test_sides_take_turns_so_that_drift_cancels() -> None:
    """Rounds are ABBA and BAAB by turns."""
    asked = ""

    def call(name: str) -> float:
        nonlocal asked
        asked += name
        return 1.0

    timed((lambda: call("A"), lambda: call("B")), (3, 3), 0.0)
    assert asked == "ABBABAABABBA"


@given(st.lists(st.floats(1e-4, 10), min_size=1, max_size=8), st.floats(1e-4, 10))
def test_figures_are_the_calls_own(first: list[float], second: float) -> None:
    """A side's figure lies within what its calls took, and the other side's has no part in it."""
    took = iter(first * 100)
    found = timed((lambda: next(took), lambda: second), (2, 4), 60.0)
    assert min(first) <= found.seconds <= max(first)
    assert found.reference_seconds == pytest.approx(second)


def test_an_interrupted_call_does_not_count() -> None:
    """One call in eight that takes a hundred times as long leaves the figure as it is."""
    took = iter([1.0, 1.0, 100.0, *[1.0] * 5])
    assert timed((lambda: next(took), lambda: 1.0), (4, 4), 0.0).seconds == 1.0


def test_long_calls_are_made_less_often() -> None:
    """When its time is up no round begins, but at least so many are made."""

    def slow() -> float:
        time.sleep(0.01)
        return 0.01

    assert timed((slow, slow), (2, 16), 0.02).rounds == 2
    assert 2 < timed((slow, slow), (2, 16), 0.13).rounds < 16
    assert timed((lambda: 0.0, lambda: 0.0), (2, 16), 60.0).rounds == 16


def test_both_sides_are_warmed_up() -> None:
    """A block's first calls of each side are not timed."""
    calls = {"a": 0, "b": 0}

    class Counting(Steady):
        def ready(self, prompts: object) -> object:
            del prompts
            name = "a" if self.seconds == 1 else "b"

            def once() -> float:
                calls[name] += 1
                return 9.0 if calls[name] <= WARM_UPS else self.seconds

            return once

    found = ran(Work((Counting(1.0), Counting(2.0)), (), rounds=(2, 2)))
    assert (found.seconds, found.reference_seconds) == (1.0, 2.0)
    assert calls == {"a": WARM_UPS + 4, "b": WARM_UPS + 4}


def test_what_was_queued_is_not_the_calls(tmp_path: Path) -> None:
    """A call's seconds are without what the system counted as queued meanwhile, and never less than nothing."""
    counted = tmp_path / "schedstat"
    counted.write_text("1 500000000 3\n")
    with Queue(counted) as queue:

        def call() -> float:
            counted.write_text(f"2 {int(1e9 * (queue.seconds() + 0.25))} 4\n")
            return 1.0

        assert queue.less(call)() == pytest.approx(0.75)
        assert queue.less(lambda: call() / 10)() == pytest.approx(0.001)


def test_where_nothing_is_counted_time_is_the_clocks(tmp_path: Path) -> None:
    """On a system without the counter a call takes what its clock says."""
    with Queue(tmp_path / "none") as queue:
        assert queue.seconds() == 0.0
        assert queue.less(lambda: 1.5)() == 1.5


@pytest.mark.skipif(not QUEUED.is_file(), reason="the system does not count it")
def test_sleep_counts_and_other_processes_do_not() -> None:
    """Beside two processes on the same processor a sleep counts whole, and a computation far from three times.

    What it takes alone varies with what the rest of the machine does, so with room.
    """
    done = subprocess.run([sys.executable, "-c", BESIDE], capture_output=True, text=True, check=True, timeout=60)
    alone, shared, slept = map(float, done.stdout.split())
    assert shared < 2.2 * alone
    assert 0.05 <= slept < 0.08
