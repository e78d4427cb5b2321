"""A/A: what the gate of a pace says here of a program that has not changed, and of one slowed on purpose."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations
from pathlib import Path

from tunescale_core.errors import PaceError
from tunescale_core.gates.pace import change, confirmed, judge
from tunescale_core.models.device import device
from tunescale_core.pace.measure import questions, run_blocks
from tunescale_core.pace.pace import YARDSTICK, Pace
from tunescale_core.pace.sides import Pair, Served
from tunescale_core.pace.yardstick import Yardstick
from tunescale_core.progress import Progress
from tunescale_core.stats.interval import Interval
from tunescale_core.study.margins import DEFAULTS, Margin
from tunescale_core.study.study import Study

Run = Mapping[str, Pace]
"""Each pair's pace, by its subject; a baseline, a run held against it, or the fresh blocks that confirm an alarm."""
SLOWER = (0.05, 0.10, 0.20)
"""Shares by which a subject's calls are made longer, to see whether that is caught."""
FEWEST = 3
"""Runs: one for each part of a comparison."""
MOST = 1000
"""Comparisons looked at, drawn from all where there are more."""


@dataclass(frozen=True)
class Assessed:
    """How a pair's gate does."""

    subject: str
    reference: str
    spread: float
    """Standard deviation of a block's log-ratio, its question's own level taken off."""
    caught: Mapping[float, Interval]
    """Share of comparisons that fail, by the share the subject was slowed by; at 0 it is false alarms."""
    needed: float
    """Margin at which no two runs of the unchanged program would have raised a first alarm; a share of the ratio."""


def embedded(blocks: int) -> tuple[Study, tuple[Pair, ...]]:
    """Return a study of the embedded family that asks so many questions, and the pairs that its gate measures."""
    each = {"eval_examples": math.ceil(blocks / 3)}
    study = Study.model_validate(
        {
            "study": {"name": "self-test", **each},
            "models": {name: {"source": f"embedded:{name}"} for name in ("mini-small", "mini-large")},
            "tasks": {"arc": {}, "openmath": {}, "squad_v2": {}},
        }
    )
    folder = Path(__file__).parent.parent / "embedded"
    small, large = (Served(folder / name, study.protocol) for name in study.models)
    return study, (
        Pair("mini-small-base", YARDSTICK, (small, Yardstick(device()))),
        Pair("mini-small-again", "mini-small-base", (replace(small), small)),
        Pair("mini-large-base", "mini-small-base", (large, small)),
    )


def record(minutes: float, blocks: int, progress: Progress) -> tuple[Run, ...]:
    """Measure the embedded pairs run after run for so long, and in three runs at least.

    Each run's blocks are forked from a process of its own, as a baseline's and a later run's are.

    Raises:
        PaceError: A process failed.
    """
    study, pairs = embedded(blocks)
    asked = questions(study)
    until = time.monotonic() + 60 * minutes
    runs: list[Run] = []
    while len(runs) < FEWEST or time.monotonic() < until:
        found = run_blocks(pairs, asked, blocks, progress)
        if found.faults:
            raise PaceError("; ".join(f"{subject}: {why}" for subject, why in found.faults.items()))
        runs.append({pace.subject: pace for pace in found.paces})
    return tuple(runs)


def assess(runs: Sequence[Run], margin: Margin = DEFAULTS["pace"], slower: Sequence[float] = SLOWER) -> list[Assessed]:
    """Hold every run against every other, each alarm confirmed by a third, with and without a slow-down.

    Comparisons share runs, so an interval counts no more of them than could be made of different ones.

    Raises:
        ValueError: There are fewer than three runs.
    """
    if len(runs) < FEWEST:
        raise ValueError(f"a comparison and its confirmation need {FEWEST} runs, there are {len(runs)}")
    return [_assessed(runs, subject, margin, slower) for subject in runs[0]]


def fails(old: Pace, now: Pace, again: Pace, margin: Margin) -> bool:
    """Tell whether the gate fails a run whose alarm, if there is one, is held against fresh blocks."""
    first = judge(now, old, margin)
    return first.failed and confirmed(first, judge(again, old, margin)).failed


def slowed(pace: Pace, share: float) -> Pace:
    """Return a pace whose subject takes longer by a share."""
    blocks = tuple(one.model_copy(update={"seconds": one.seconds * (1 + share)}) for one in pace.blocks)
    return pace.model_copy(update={"blocks": blocks})


def comparisons(runs: int, most: int = MOST, seed: int = 0) -> list[tuple[int, int, int]]:
    """Return which runs are baseline, run and confirmation: all ways there are, or so many drawn from them."""
    if math.perm(runs, 3) <= most:
        return list(permutations(range(runs), 3))
    drawn = random.Random(seed)
    found = [drawn.sample(range(runs), 3) for _ in range(most)]
    return [(old, now, again) for old, now, again in found]


def score_interval(share: float, n: int) -> Interval:
    """Return a share with its score interval (Wilson, 1927) where it need not be a whole number out of n."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(share * n, n, method="wilson")
    return Interval(share, float(low), float(high))


def _assessed(runs: Sequence[Run], subject: str, margin: Margin, slower: Sequence[float]) -> Assessed:
    paces = [run[subject] for run in runs]
    return Assessed(
        subject,
        paces[0].reference,
        _spread(paces),
        {share: _caught(paces, share, margin) for share in (0.0, *slower)},
        max(0.0, *(math.expm1(change(now, old).bounds[0]) for old, now in permutations(paces, 2))),
    )


def _caught(paces: Sequence[Pace], share: float, margin: Margin) -> Interval:
    changed = [slowed(pace, share) for pace in paces]
    found = [fails(paces[old], changed[now], changed[again], margin) for old, now, again in comparisons(len(paces))]
    return score_interval(sum(found) / len(found), len(paces) // FEWEST)


def _spread(paces: Sequence[Pace]) -> float:
    """From the differences of two runs' blocks, which have a question in common: twice the variance of one."""
    changes = [change(now, old) for old, now in pairwise(paces)]
    return math.sqrt(sum(one.error**2 * one.n / 2 for one in changes) / len(changes))
