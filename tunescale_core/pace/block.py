"""A block: two sides asked the same in turn, ABBA and BAAB, so that what drifts or jumps hits both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from tunescale_core.decoding.completion import Prompt
from tunescale_core.pace.sides import Side

WARM_UPS = 2
"""Untimed calls of each side."""
ROUNDS = (2, 16)
"""Rounds of four calls: at least and at most."""
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
    return timed(calls, work.rounds, work.seconds)


def timed(calls: Sequence[Callable[[], float]], rounds: tuple[int, int], seconds: float) -> Times:
    """Time two sides' calls in rounds of ABBA, BAAB and so on, until they have taken long enough.

    Medians, for a call that was interrupted takes any time at all.
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
