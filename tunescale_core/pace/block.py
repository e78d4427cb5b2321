"""A block: two sides asked the same in turn, ABBA and BAAB, so that what drifts or jumps hits both.

A call's time is the clock's, less what its thread stood in the queue for a processor while others had it: beside busy
processes that wait is most of what makes calls differ, and none of it is the model's. Sleeping, waiting for a device, a
file or another thread is no such wait, and counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

from tunescale_core.decoding.completion import Prompt
from tunescale_core.pace.sides import Side

WARM_UPS = 2
"""Untimed calls of each side."""
ROUNDS = (2, 16)
"""Rounds of four calls: at least and at most."""
QUEUED = Path("/proc/self/schedstat")
"""Where Linux counts, in nanoseconds, how long a process's first thread ran and how long it was queued."""
LEAST = 0.01
"""Share of a call that is left at least: the counter also has what was queued just before and after it."""
SECONDS = 0.5
"""After which no further round begins: large models' calls vary less, and would take minutes."""


@dataclass(frozen=True)
class Times:
    """A block's figures."""

    seconds: float
    """Median of the subject's calls."""
    reference_seconds: float
    rounds: int


@dataclass(frozen=True)
class Fault:
    """Why there are none."""

    why: str


@dataclass(frozen=True)
class Work:
    """What one process is to do; it can be pickled."""

    sides: tuple[Side, Side]
    """The subject's and the reference's."""
    prompts: tuple[Prompt, ...]
    rounds: tuple[int, int] = ROUNDS
    seconds: float = SECONDS


def ran(work: Work) -> Times:
    """Open both sides, warm them up, and time them in turn."""
    calls = tuple(side.ready(work.prompts) for side in work.sides)
    for call in calls:
        for _ in range(WARM_UPS):
            call()
    with Queue() as queue:
        return timed([queue.less(call) for call in calls], work.rounds, work.seconds)


class Queue:
    """Tells how long this process has stood in the queue for a processor; nothing where the system does not count it.

    For a process of one thread, and open in the process that it is asked in.
    """

    def __init__(self, counted: Path = QUEUED) -> None:
        self._counted = counted
        self._file: int | None = None

    def __enter__(self) -> Self:
        if self._counted.is_file():
            self._file = os.open(self._counted, os.O_RDONLY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)

    def seconds(self) -> float:
        """Return how long it has been so far."""
        if self._file is None:
            return 0.0
        os.lseek(self._file, 0, os.SEEK_SET)
        return int(os.read(self._file, 100).split()[1]) / 1e9

    def less(self, call: Callable[[], float]) -> Callable[[], float]:
        """Return a call whose seconds are without those that it was queued."""

        def once() -> float:
            queued = self.seconds()
            took = call()
            return max(took - (self.seconds() - queued), took * LEAST)

        return once


def timed(calls: Sequence[Callable[[], float]], rounds: tuple[int, int], seconds: float) -> Times:
    """Time two sides' calls in rounds of ABBA, BAAB and so on, until they have taken long enough.

    Medians, for something else may always come between.
    """
    least, most = rounds
    until = time.perf_counter() + seconds
    took: tuple[list[float], list[float]] = ([], [])
    done = 0
    while done < least or (done < most and time.perf_counter() < until):
        for side in (0, 1, 1, 0) if done % 2 == 0 else (1, 0, 0, 1):
            took[side].append(calls[side]())
        done += 1
    return Times(median(took[0]), median(took[1]), done)
