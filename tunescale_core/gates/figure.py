"""Figures that only a test can judge: the pair behind their sides, and the verdicts on all at once.

They are judged together, since Holm's correction (1979) is over all of a run's: a run of a hundred gates would
otherwise fail by chance five times in a hundred gates that hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tunescale_core.gates.sides import Sides
from tunescale_core.gates.verdict import LEVEL, Outcome, Verdict
from tunescale_core.results.pair import TESTS, Pair, touching
from tunescale_core.stats.corrected import adjusted
from tunescale_core.stats.interval import Interval
from tunescale_core.tasks.task import Direction

SAME = "same answers"
"""The test where every example contributes what it did."""


@dataclass(frozen=True, kw_only=True)
class Figure(Sides):
    """A figure that only a test can judge."""

    pair: Pair
    """What each example contributes to both sides."""

    @property
    def other(self) -> Direction:
        """The direction in which the figure gets worse."""
        return "lower" if self.better == "higher" else "higher"

    def p(self) -> float:
        """Return how often chance alone would show as much beyond the margin; of a ± margin, on either side."""
        if self.pair.same:
            return 1.0
        worse = self.pair.worse_p(self.better, self.allowed)
        return min(1.0, 2 * min(worse, self.pair.worse_p(self.other, self.allowed))) if self.margin.both else worse

    def better_p(self) -> float:
        """Return how often chance alone would show as large a gain."""
        return 1.0 if self.pair.same else self.pair.worse_p(self.other)

    @property
    def test(self) -> str:
        """What decides: the law's own test; with a margin the bootstrap too."""
        if self.pair.same:
            return SAME
        own, bootstrap = self.pair.test, TESTS["composite"]
        return own if not self.allowed or own == bootstrap else f"{bootstrap}, {own}"

    @property
    def ends(self) -> tuple[float, float]:
        """The interval's ends as gains, the worse one first."""
        low, high = self.pair.interval.low, self.pair.interval.high
        return (low, high) if self.better == "higher" else (-high, -low)

    @property
    def within(self) -> bool:
        """Tell whether it is no worse than before, or shown to be within the margin; of a ± margin, on both sides."""
        most = touching(self.allowed)
        beyond = self.margin.both and self.gain > most
        not_worse = self.gain >= -touching(0.0) and not beyond
        worst, best = self.ends if not not_worse else (0.0, 0.0)
        return not_worse or (worst >= -most and not (self.margin.both and best > most))

    def enough(self, gates: int) -> int | None:
        """Return the n at which a true difference as seen would be told from the margin, among so many gates."""
        n, excess = self.pair.n, self.gain + self.allowed
        if self.margin.both:
            excess = min(excess, self.gain - self.allowed, key=abs)
        if abs(excess) <= touching(0.0):
            return None
        found = self.pair.enough(excess if self.allowed else None, LEVEL / gates)
        # Not even losing all of fewer would be beyond chance; of grouped examples it is groups that count.
        fewest = math.ceil(math.log2(gates / LEVEL) * n / max(1, self.pair.units))
        return max(found, n + 1, fewest) if found is not None else None


def decided(figures: Sequence[Figure], *, strict: bool = False) -> tuple[Verdict, ...]:
    """Return the verdicts on all of a run's tested figures, in their order.

    Where every answer is the same there is nothing to test, and nothing to correct for: which examples differ is
    what the tests take as given.

    Args:
        figures: All of them: each one's p is corrected for the number of those that differ.
        strict: Whether an undecided one fails.
    """
    tested = [figure for figure in figures if not figure.pair.same]
    ps = [figure.p() for figure in tested]
    worse = adjusted(ps, "holm")
    better = adjusted([figure.better_p() for figure in tested], "holm")
    found = iter(zip(ps, worse, better, strict=True))
    return tuple(
        _verdict(figure, *((1.0, 1.0, 1.0) if figure.pair.same else next(found)), len(tested), strict=strict)
        for figure in figures
    )


def _verdict(figure: Figure, p: float, worse: float, better: float, gates: int, *, strict: bool) -> Verdict:  # noqa: PLR0913  three ps
    outcome = _outcome(figure, worse, better)
    return Verdict(
        figure.cell,
        figure.metric,
        outcome,
        figure.old,
        figure.new,
        figure.better,
        figure.unit,
        figure.digits,
        Interval(0.0, 0.0, 0.0) if figure.pair.same else figure.pair.interval,
        figure.margin,
        figure.test,
        p,
        worse,
        figure.pair.n,
        figure.enough(gates) if outcome == "undecided" else None,
        figure.note,
        strict=strict,
    )


def _outcome(figure: Figure, worse: float, better: float) -> Outcome:
    if figure.pair.same:
        return "holds"
    if worse < LEVEL:
        return "regression"
    if better < LEVEL and figure.ends[0] > 0 and not (figure.margin.both and figure.gain > touching(figure.allowed)):
        return "better"
    return "holds" if figure.within else "undecided"
