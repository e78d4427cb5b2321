"""A run held against its baseline: every verdict, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tunescale_core.gates.baseline import Baseline
from tunescale_core.gates.cases import case, case_of_rounds
from tunescale_core.gates.exact import PARAMETERS, TOKENS, fixed, parameters
from tunescale_core.gates.figure import Figure, decided
from tunescale_core.gates.latency import LATENCY, judged_latencies, latency, latency_of_rounds
from tunescale_core.gates.quality import gated, quality
from tunescale_core.gates.slowdown import Slowdown
from tunescale_core.gates.verdict import CASE, Verdict
from tunescale_core.pace.pace import YARDSTICK, Pace
from tunescale_core.results.result import Result
from tunescale_core.study.margins import Gate
from tunescale_core.tasks.task import PARSE_RATE

Judgement = Verdict | Figure | Slowdown
"""A verdict, or what has to be tested together with all others of its kind."""


@dataclass(frozen=True)
class Run:
    """What is held against a baseline."""

    results: Mapping[str, Result] = field(default_factory=dict)
    """By the case's id, in the run's order; failed ones among them."""
    paces: tuple[Pace, ...] = ()
    known: frozenset[str] | None = None
    """Every case of the study; None where nobody knows, as of a folder of records."""
    selected: frozenset[str] | None = None
    """Those of them that this run was to measure; None for all."""

    def lacks(self, cell: str) -> bool:
        """Tell whether a baseline's case is missing: one that was merely not selected is not."""
        asked = self.known is None or cell not in self.known or self.selected is None or cell in self.selected
        return asked and cell not in self.results


def judged(run: Run, baseline: Baseline, gate: Gate) -> tuple[Verdict, ...]:
    """Return every verdict but those on paces.

    In the order of the run's cases, missing ones after them; of each its case, then, where that holds, its metrics,
    parse rate, tokens, parameters and latency, as `expected` names them.

    Args:
        run: What was measured.
        baseline: What it is held against.
        gate: The study's margins.
    """
    missing = [cell for cell in _cells(baseline) if run.lacks(cell)]
    found = [one for cell in (*run.results, *missing) for one in _case(cell, run, baseline, gate)]
    return _decided(found, strict=gate.undecided == "fail")


def expected(cell: str, gate: Gate, baseline: Baseline) -> tuple[str, ...]:
    """Return the metrics that a case gets verdicts on where its case holds; where it does not, it is the case alone.

    It is known before anything runs, so that each verdict can be a test of its own.

    Args:
        cell: The case's id.
        gate: The study's margins.
        baseline: What the run will be held against.
    """
    old = baseline.results.get(cell)
    if old is None:
        return (CASE, LATENCY) if cell in baseline.timings else (CASE,)
    if old.record and old.record.error:
        return (CASE,)
    tuned = (PARAMETERS,) if old.record and old.record.cost else ()
    timed = (LATENCY,) if old.latency is not None else ()
    return (CASE, *(one.name for one in gated(cell, old, gate)), PARSE_RATE.name, TOKENS.name, *tuned, *timed)


def _cells(baseline: Baseline) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*baseline.results, *baseline.timings]))


def _case(cell: str, run: Run, baseline: Baseline, gate: Gate) -> Iterator[Judgement]:
    old, new, timing = baseline.results.get(cell), run.results.get(cell), baseline.timings.get(cell)
    verdict = case_of_rounds(cell, new) if old is None and timing else case(cell, old, new)
    yield verdict
    if verdict.outcome != "holds" or new is None:
        return
    if old is not None:
        yield from _figures(cell, old, new, gate)
        if old.latency is not None:
            yield latency(cell, old, new, gate, _yardsticks(run, baseline))
    elif timing is not None:
        yield latency_of_rounds(cell, timing, new, gate)


def _figures(cell: str, old: Result, new: Result, gate: Gate) -> Iterator[Judgement]:
    for metric in gated(cell, old, gate):
        yield quality(cell, metric, old, new, gate)
    for metric in (PARSE_RATE, TOKENS):
        yield fixed(cell, metric, old, new, gate)
    if old.record and old.record.cost:
        yield parameters(cell, old, new, gate)


def _yardsticks(run: Run, baseline: Baseline) -> tuple[Pace, Pace] | None:
    """Return both sides' pace against the yardstick; None where one has none."""
    before, after = (
        next((pace for pace in side.paces if pace.reference == YARDSTICK), None) for side in (baseline, run)
    )
    return (before, after) if before and after else None


def _decided(found: Sequence[Judgement], *, strict: bool) -> tuple[Verdict, ...]:
    """Test what has to be tested, all of a kind together, and put the verdicts in the place of what was tested."""
    figures = iter(decided([one for one in found if isinstance(one, Figure)], strict=strict))
    latencies = iter(judged_latencies([one for one in found if isinstance(one, Slowdown)], strict=strict))
    return tuple(
        next(figures) if isinstance(one, Figure) else next(latencies) if isinstance(one, Slowdown) else one
        for one in found
    )
