"""The gate of a pace: blocks of a run held against a baseline's, question by question, as a ratio of ratios."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tunescale_core.arrays import Figures
from tunescale_core.gates.verdict import Outcome, Verdict
from tunescale_core.pace.pace import YARDSTICK, Block, Pace
from tunescale_core.provenance import Provenance
from tunescale_core.stats.interval import ALPHA, Interval
from tunescale_core.stats.power import POWER
from tunescale_core.study.margins import Margin

LEVEL = 0.05
"""One-sided; how often a variant that is slower by exactly the margin raises an alarm, which is then to be confirmed by
fresh blocks: both happen to an unchanged one far more seldom."""

FEWEST = 4
"""Shared questions below which nothing is compared."""
TRIMMED = 8
"""One block in so many is trimmed at either end: one that met another process's burst hides a slow-down otherwise."""
TEST = "trimmed t of paired log-ratios"


@dataclass(frozen=True)
class Change:
    """How much longer a subject takes than it did, as a logarithm: of now's ratio over the baseline's."""

    mean: float
    """Of the blocks' differences, the outermost trimmed."""
    error: float
    """Its standard error."""
    n: int
    """Blocks of each side."""

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the error."""
        return self.n - 2 * (self.n // TRIMMED) - 1

    def p(self, least: float) -> float:
        """Return how often chance alone would show as large a change were the true one `least`; one-sided."""
        from scipy.stats import t

        if self.error == 0:
            return 0.0 if self.mean > least else 1.0
        return float(t.sf((self.mean - least) / self.error, self.freedom))

    @property
    def bounds(self) -> tuple[float, float]:
        """The one-sided bounds at `LEVEL`, below and above."""
        return self._within(LEVEL)

    def _within(self, level: float) -> tuple[float, float]:
        from scipy.stats import t

        reach = float(t.isf(level, self.freedom)) * self.error
        return self.mean - reach, self.mean + reach

    @property
    def interval(self) -> Interval:
        """The two-sided interval at `CONFIDENCE`, as shares of the baseline's ratio: 0.1 is a tenth slower."""
        low, high = self._within(ALPHA / 2)
        return Interval(math.expm1(self.mean), math.expm1(low), math.expm1(high))

    def enough(self, least: float) -> int | None:
        """Return how many blocks would have told the change from one of `least`; None where it is just that."""
        from scipy.special import ndtri

        apart = abs(self.mean - least)
        if apart == 0:
            return None
        needed = self.n * (float(ndtri(1 - LEVEL) + ndtri(POWER)) * self.error / apart) ** 2
        return max(self.n + 1, math.ceil(needed)) if needed < 1e9 else None


def judge(now: Pace | None, old: Pace | None, margin: Margin, why: str = "") -> Verdict:
    """Hold a run's pace against the baseline's.

    `regression` is an alarm here: measure the class once more, and let `confirmed` decide. A pace is `refused` where
    its length, its reference or its questions are others, or where it could not be measured, which fails; and where
    its machine is another, which does not.

    Args:
        now: The run's; None where it could not be measured.
        old: The baseline's; None where it has none.
        margin: How much the ratio may rise.
        why: What went wrong, where there is no pace.
    """
    known = now or old
    if known is None:
        raise ValueError("neither the run nor the baseline has a pace")
    verdict = Verdict(
        known.subject, "pace", "new", _ratio(old), _ratio(now), "lower", "×", digits=3, margin=margin, test=TEST
    )
    if now is None:
        return replace(verdict, outcome="refused", note=why or "it was not measured")
    if old is None:
        return verdict
    if apart := differing(now, old):
        return replace(verdict, outcome="refused", note=f"{apart}; save the baseline anew")
    if apart := _other_machine(now.provenance, old.provenance, whole=now.reference == YARDSTICK):
        return replace(verdict, outcome="refused", note=apart, required=False)
    return _decided(verdict, change(now, old), margin)


def confirmed(first: Verdict, again: Verdict) -> Verdict:
    """Return what fresh blocks make of an alarm: it fails only where they, alone, raise it too."""
    if again.outcome == "regression":
        return replace(first, note=f"confirmed by {again.n} fresh blocks")
    if again.outcome == "refused":
        return replace(first, outcome="undecided", note=f"an alarm that could not be confirmed: {again.note}")
    return replace(again, note=f"an alarm of {first.n} blocks, not confirmed by {again.n} fresh ones")


def change(now: Pace, old: Pace) -> Change:
    """Return the change of a pace over the questions that both asked.

    Raises:
        ValueError: They share fewer than two.
    """
    import numpy as np

    ours, theirs = _by_question(now.blocks), _by_question(old.blocks)
    shared = [key for key in ours if key in theirs]
    gains = np.array([ours[key] - theirs[key] for key in shared])
    if len(gains) < 2:
        raise ValueError("a change needs two shared questions")
    return _change(gains)


def differing(now: Pace, old: Pace) -> str:
    """Return what of two paces was asked otherwise; "" where nothing was."""
    if now.reference != old.reference:
        return f"held against {old.reference} in the baseline, {now.reference} now"
    if now.tokens != old.tokens:
        return f"answers of {old.tokens} tokens in the baseline, {now.tokens} now"
    shared = len(_by_question(now.blocks).keys() & _by_question(old.blocks).keys())
    return "" if shared >= FEWEST else f"{shared} questions in common, {FEWEST} are needed"


def _change(gains: Figures) -> Change:
    """The trimmed mean, and its error from the winsorised variance (Tukey and McLaughlin, 1963)."""
    import numpy as np

    n, cut = len(gains), len(gains) // TRIMMED
    ordered = np.sort(gains)
    kept = ordered[cut : n - cut]
    deviation = float(np.clip(ordered, kept[0], kept[-1]).std(ddof=1))
    return Change(float(kept.mean()), deviation * math.sqrt(n) / (n - 2 * cut), n)


def _decided(verdict: Verdict, found: Change, margin: Margin) -> Verdict:
    assert verdict.old is not None  # noqa: S101  told by the caller
    share = margin.allowed(verdict.old) / verdict.old
    slower, faster = math.log1p(share), math.log1p(-share) if share < 1 else -math.inf
    outcome = _outcome(found, slower, faster, both=margin.both)
    return replace(
        verdict,
        outcome=outcome,
        interval=found.interval,
        p=found.p(slower),
        n=found.n,
        enough=found.enough(slower) if outcome == "undecided" else None,
    )


def _outcome(found: Change, slower: float, faster: float, *, both: bool) -> Outcome:
    """Tell by the bounds: beyond the margin, within it, or neither; faster counts beyond the same margin."""
    low, high = found.bounds
    if low > slower:
        return "regression"
    if high < faster:
        return "regression" if both else "better"
    if high <= slower and (low >= faster or not both):
        return "holds"
    return "undecided"


def _by_question(blocks: Iterable[Block]) -> dict[tuple[str, int], float]:
    """The logarithm of each block's ratio, by its question and which time it was asked."""
    times: Counter[str] = Counter()
    found: dict[tuple[str, int], float] = {}
    for block in blocks:
        found[block.question, times[block.question]] = math.log(block.seconds / block.reference_seconds)
        times[block.question] += 1
    return found


def _ratio(pace: Pace | None) -> float | None:
    """The geometric mean of a pace's ratios to its reference."""
    if pace is None:
        return None
    return math.exp(math.fsum(_by_question(pace.blocks).values()) / len(pace.blocks))


def _other_machine(now: Provenance, old: Provenance, *, whole: bool) -> str:
    """Return what of the machine makes ratios incomparable; "" where nothing.

    The ratio of two models outlives a change of processor, not one of the kind of device; the ratio of a model to the
    yardstick, which is another kind of work, outlives neither.
    """
    names = ("device", "cpu", "threads") if whole else ("device",)
    apart = [name for name in names if getattr(now, name) != getattr(old, name)]
    told = ", ".join(f"{name} {getattr(old, name)} in the baseline, {getattr(now, name)} now" for name in apart)
    return f"another machine: {told}" if told else ""
