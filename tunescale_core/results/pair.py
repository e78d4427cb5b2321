"""Two sides that answered the same examples, in one figure: the interval of their difference, and its tests.

Comparisons of candidates and gates against a baseline both stand on this: the first ask whether two differ at all, the
second whether one is worse than the other by more than a margin.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from tunescale_core.arrays import Figures, Flags
from tunescale_core.stats.interval import ALPHA, Interval, bca_interval, newcombe, percentile_interval
from tunescale_core.stats.paired import (
    at_least_chance,
    below_p,
    bootstrap_below_p,
    paired_p,
    sign_flip,
    sign_flip_below,
)
from tunescale_core.stats.power import enough, enough_for_shares
from tunescale_core.stats.resampling import members_of
from tunescale_core.tasks import Metric
from tunescale_core.tasks.task import Direction, Law

TESTS: dict[Law, str] = {
    "binary": "exact McNemar",
    "mean": "sign flips",
    "error": "Wilcoxon on log1p",
    "composite": "paired bootstrap",
}
BY_GROUP = "sign flips of groups"


@dataclass(frozen=True)
class Pair:
    """What the same examples contribute on either side."""

    metric: Metric
    difference: float
    """New minus old, in the metric's unit."""
    new: Figures
    """Of each example, shape `(n,)`; NaN where it does not count. Right or wrong is above zero, or zero."""
    old: Figures
    group: tuple[str, ...]
    """Of each example, what it shares with those that are not independent of it; "" is alone."""
    resampled: Callable[[], Figures]
    """Draws the difference's replicates, shape `(B,)`; called once, and only where something needs them."""
    single: bool = True
    """Whether a side is one cell; else it is the mean over several seeds, which make examples dependent."""

    @cached_property
    def replicates(self) -> Figures:
        """The difference in each resample, shape `(B,)`."""
        return self.resampled()

    @cached_property
    def counted(self) -> Flags:
        """Whether each example counts on both sides, shape `(n,)`."""
        import numpy as np

        return ~(np.isnan(self.new) | np.isnan(self.old))

    @property
    def n(self) -> int:
        """How many examples count on both sides."""
        return int(self.counted.sum())

    @property
    def same(self) -> bool:
        """Tell whether every example contributes the same on both sides."""
        import numpy as np

        return bool(np.array_equal(self.new, self.old, equal_nan=True))

    @cached_property
    def units(self) -> int:
        """How many examples or groups are drawn independently of each other."""
        return len({name for name in self.group if name}) + self.group.count("")

    @cached_property
    def differing(self) -> int:
        """How many of them contribute otherwise on one side than on the other."""
        return len(set(itertools.compress(members_of(self.group), self._unlike)))

    @property
    def independent(self) -> bool:
        """Tell whether every example stands for itself."""
        return self.single and self.units == len(self.group)

    @property
    def law(self) -> Law:
        """Which test suits: the metric's own; the bootstrap's where seeds or groups make examples dependent."""
        return self.metric.law if self.independent else "composite"

    @property
    def test(self) -> str:
        """The test that p is of."""
        return TESTS[self.law] if self._sums is None else BY_GROUP

    @cached_property
    def interval(self) -> Interval:
        """Of the difference: Newcombe's of two shares, BCa of a composite figure, else the percentile one."""
        if self.law == "binary":
            scale = 100.0 if self.metric.unit == "%" else 1.0
            found = newcombe(*self._shares)
            return Interval(self.difference, scale * found.low, scale * found.high)
        if self.independent and self.law == "composite":
            found = bca_interval(self.difference, self.replicates, self._jackknife())
        else:
            found = percentile_interval(self.difference, self.replicates, self.units if self.single else None)
        return found if found.high > found.low else self._without_exception()

    def _without_exception(self) -> Interval:
        """Return the interval of a difference that all resamples agree on, since every example shows the same.

        It reaches as far down as questions that differ by nothing can be missing among so many by chance: a share of
        1 - (α/2)^(1/n), as for a share of n right of n (Clopper and Pearson, 1934).
        """
        least = self.difference * float((ALPHA / 2) ** (1 / self.units))
        return Interval(self.difference, *sorted((least, self.difference)))

    @property
    def p(self) -> float:
        """How often chance alone would show as large a difference, two-sided."""
        if self._sums is not None:
            return at_least_chance(sign_flip(self._sums), self.differing)
        replicates = self.replicates if self.law == "composite" else None
        p = paired_p(self.law, self.new, self.old, replicates)
        return at_least_chance(p, self.differing) if self.law == "composite" else p

    def worse_p(self, better: Direction, margin: float = 0.0) -> float:
        """Return how often chance alone would show as much, were the new side worse by no more than a margin.

        With no margin it is the law's own test, one-sided. With one it is the share of resamples that stay within it,
        and no less than the law's own: what is worse by more than a margin is worse. So p never falls as the margin
        grows, and no bootstrap of a few lost examples is surer than the exact test.

        Args:
            better: Which way the figure is better.
            margin: In the metric's unit, at least 0.
        """
        upward = 1.0 if better == "higher" else -1.0
        if upward * self.difference >= -touching(margin):
            return 1.0
        own = self._own_below(upward)
        if own is not None and not margin:
            return own
        return max(own or 0.0, bootstrap_below_p(upward * self.replicates, self.differing, margin))

    def _own_below(self, upward: float) -> float | None:
        """Return the one-sided p of the test that needs no resamples; None where there is none."""
        if self._sums is not None:
            return max(sign_flip_below(upward * self._sums), 2.0**-self.differing)
        if self._composite:
            return None
        return below_p(self.law, *(self._sides if upward > 0 else self._sides[::-1]))

    def enough(self, excess: float | None = None, level: float = ALPHA / 2) -> int | None:
        """Return the n at which a difference as seen would be told from another, with power.

        Args:
            excess: How far it is from that other one, in the metric's unit; from zero unless given.
            level: One-sided.

        Returns:
            None where there is no excess, and of several seeds: what they differ by no number of examples mends.
        """
        if not self.single:
            return None
        if self.law == "binary" and excess is None:
            return enough_for_shares(*self._shares, level)
        return enough(self.difference if excess is None else excess, self.replicates, self.n, level)

    @property
    def _composite(self) -> bool:
        return self.law == "composite"

    @cached_property
    def _sums(self) -> Figures | None:
        """What the groups' examples differ by in sum, shape `(units,)`; None where they are not what is tested.

        Examples of one group are not independent, and groups are: exchanging both sides of whole groups is a test of
        any number of them, where resampling a few groups calls too much (Cameron, Gelbach and Miller, 2008). So it is
        of a mean; a figure that is none, and one of several seeds, is left to the bootstrap.
        """
        if self.independent or not self.single or self.metric.law == "composite" or self.metric.over is not None:
            return None
        import numpy as np

        gains = np.where(self._unlike, self.new - self.old, 0.0)
        sums: Figures = np.bincount(members_of(self.group), gains).astype(float)
        return sums

    @cached_property
    def _unlike(self) -> Flags:
        """Whether each example counts, and contributes otherwise on one side than on the other, shape `(n,)`."""
        unlike: Flags = self.counted & (self.new != self.old)
        return unlike

    @cached_property
    def _sides(self) -> tuple[Figures, Figures]:
        """What the examples that count contribute on either side, shapes `(m,)`."""
        return self.new[self.counted], self.old[self.counted]

    @cached_property
    def _shares(self) -> tuple[Flags, Flags]:
        return self._sides[0] > 0, self._sides[1] > 0

    def _jackknife(self) -> Figures:
        others = _leaving_one_out(len(self.new))
        return self.metric.combine(self.new, others) - self.metric.combine(self.old, others)


def touching(margin: float) -> float:
    """Return a margin that a difference which equals it in decimals does not pass in binary."""
    return margin * (1 + 1e-9) + 1e-12


@lru_cache(maxsize=4)
def _leaving_one_out(n: int) -> Figures:
    import numpy as np

    return 1.0 - np.eye(n)
