"""How many times longer a call takes than before, with its error, and what that comes to beside a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from tunescale_core.gates.verdict import LEVEL, Outcome
from tunescale_core.results.pair import touching
from tunescale_core.stats.interval import ALPHA, Interval
from tunescale_core.stats.power import POWER
from tunescale_core.study.margins import Margin


@dataclass(frozen=True)
class Slowdown:
    """The logarithm of how many times longer a call takes than before, with its error."""

    cell: str
    old: float
    """Mean seconds of a call."""
    new: float
    margin: Margin
    log_ratio: float
    error: float
    """Standard error of `log_ratio`."""
    freedom: float
    """Degrees of freedom of `error`; 0 where nothing is known of it."""
    n: int
    """Calls that both sides share; of rounds without their calls, those of the run."""
    units: int
    """How many of them, or of groups of them, are independent of each other."""
    test: str

    @property
    def bound(self) -> float:
        """The logarithm of the ratio that the margin allows."""
        return math.log1p(self.margin.allowed(self.old) / self.old)

    @cached_property
    def ends(self) -> tuple[float, float] | None:
        """The interval of `log_ratio`; None of a single call."""
        from scipy.stats import t

        if not self.freedom:
            return None
        reach = float(t.ppf(1 - ALPHA / 2, self.freedom)) * self.error
        return self.log_ratio - reach, self.log_ratio + reach

    @property
    def interval(self) -> Interval | None:
        """Of new over old, minus 1; None of a single call."""
        return None if self.ends is None else Interval(*map(_times, (self.log_ratio, *self.ends)))

    @property
    def lower(self) -> float:
        """The logarithm of the ratio below which it is faster by more than the margin.

        A margin of ± 25 % reaches from three quarters to five; one that only says how much slower is turned over.
        """
        share = self.margin.allowed(self.old) / self.old
        if not self.margin.both:
            return -self.bound
        return math.log1p(-share) if share < 1 else -math.inf

    def p(self, upward: float = 1.0) -> float:
        """Return how often chance alone shows a ratio as far above the margin; as far below it for `upward` -1."""
        from scipy.stats import t

        excess = self.log_ratio - self.bound if upward > 0 else self.lower - self.log_ratio
        if excess <= touching(0.0) or not self.freedom:
            return 1.0
        least = 2.0**-self.units  # equal ratios have no error, and flipping their signs shows no more than this
        return max(float(t.sf(excess / self.error, self.freedom)), least) if self.error > 0 else least

    @property
    def gated_p(self) -> float:
        """Return p; of a ± margin the smaller of both sides', doubled."""
        return min(1.0, 2 * min(self.p(), self.p(-1.0))) if self.margin.both else self.p()

    def enough(self, gates: int) -> int | None:
        """Return the calls at which a ratio as seen would be told from the margin, among so many gates."""
        from scipy.special import ndtri

        sides = (self.bound, self.lower) if self.margin.both else (self.bound,)
        excess = min(abs(self.log_ratio - side) for side in sides)
        if not self.freedom or excess <= touching(0.0):
            return None
        reach = float(ndtri(1 - LEVEL / gates) + ndtri(POWER)) * self.error / excess
        # Flipping the signs of fewer could not show as much, however much longer they took.
        fewest = math.ceil(math.log2(gates / LEVEL) * self.n / self.units)
        return max(self.n + 1, math.ceil(self.n * reach**2), fewest)

    def outcome(self, worse: float, better: float) -> Outcome:
        """Return what it comes to, p corrected; better is what is faster by more than the margin, as noise is not."""
        if worse < LEVEL:
            return "regression"
        if better < LEVEL and not self.margin.both:
            return "better"
        if self.log_ratio <= touching(0.0) and not (self.margin.both and self.log_ratio < self.lower):
            return "holds"
        shown = self.ends is not None and self.ends[1] <= self.bound
        low = self.ends is not None and self.ends[0] >= self.lower
        return "holds" if shown and (low or not self.margin.both) else "undecided"


def _times(logarithm: float) -> float:
    """Return the ratio of a logarithm, minus 1; of few calls that lie far apart it may be past all numbers."""
    try:
        return math.expm1(logarithm)
    except OverflowError:
        return math.inf
