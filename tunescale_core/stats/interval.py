"""An estimate and how far it can be trusted: intervals of shares, differences and resampled figures."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tunescale_core.arrays import Figures, Flags
from tunescale_core.errors import MetricError

CONFIDENCE = 0.95

ALPHA = 1 - CONFIDENCE

SMALLEST = {95: 59, 99: 299}
"""Samples below which a percentile lies beyond the largest value too often (5 %) to be bounded from above."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its two-sided interval at `CONFIDENCE`, in the estimate's unit."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Tell whether zero lies outside."""
        return self.low > 0 or self.high < 0


def percentile_interval(value: float, replicates: Figures, units: int | None = None) -> Interval:
    """Return the percentile bootstrap interval (Efron and Tibshirani, 1993, ch. 13) around `value`.

    Args:
        value: The estimate.
        replicates: The estimate in each resample, shape `(B,)`.
        units: How many examples or groups were drawn independently. Of few the interval is expanded, as Student's t
            and the variance of a sample are beside a normal figure's (Hesterberg, 2015, sec. 4.2).

    Raises:
        MetricError: No replicate is defined.
    """
    import numpy as np

    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        raise MetricError("no resample defines the figure, so it has no interval: give more examples")
    tail = ALPHA / 2 if units is None else _expanded(units)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def _expanded(units: int) -> float:
    """Return the share of resamples that lies beyond either end of an expanded percentile interval."""
    from scipy.special import ndtr
    from scipy.stats import t

    if units < 2:
        return 0.0
    return float(ndtr(math.sqrt(units / (units - 1)) * t.ppf(ALPHA / 2, units - 1)))


def wider_interval(value: float, replicates: Figures) -> Interval:
    """Return the interval that holds both the percentile and the basic bootstrap's (Davison and Hinkley, 1997, ch. 5).

    For a figure that resamples move to one side; what both leave out is called a finding by chance about as often as
    declared, or less (`benchmarks/check_chance.py`).

    Raises:
        MetricError: No replicate is defined.
    """
    found = percentile_interval(value, replicates)
    return Interval(found.value, min(found.low, 2 * value - found.high), max(found.high, 2 * value - found.low))


def bca_interval(value: float, replicates: Figures, jackknife: Figures) -> Interval:
    """Return the bias-corrected and accelerated interval (Efron and Tibshirani, 1993, ch. 14).

    Args:
        value: The estimate.
        replicates: The estimate in each resample, shape `(B,)`.
        jackknife: The estimate with each example (or group) left out, shape `(n,)`.

    Returns:
        The interval; the percentile one where all replicates lie on one side, or none varies.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri

    defined = replicates[~np.isnan(replicates)]
    below = ((defined < value).mean() + (defined <= value).mean()) / 2 if len(defined) else 0.0
    pulls = np.nanmean(jackknife) - jackknife
    spread = np.nansum(pulls**2) ** 1.5
    if not 0 < below < 1 or spread == 0:
        return percentile_interval(value, replicates)
    bias, acceleration = ndtri(below), np.nansum(pulls**3) / (6 * spread)
    ends = bias + ndtri(np.array([ALPHA / 2, 1 - ALPHA / 2]))
    low, high = np.quantile(defined, ndtr(bias + ends / (1 - acceleration * ends)))
    return Interval(float(value), float(low), float(high))


def wilson(right: int, n: int) -> Interval:
    """Return the share `right / n` with its score interval (Wilson, 1927).

    Raises:
        MetricError: `n` is not positive.
    """
    from scipy.stats import binomtest

    if n < 1:
        raise MetricError("a share of no examples is undefined: give at least one")
    found = binomtest(right, n).proportion_ci(CONFIDENCE, "wilson")
    return Interval(right / n, float(found.low), float(found.high))


def newcombe(new: Flags, old: Flags) -> Interval:
    """Return the difference of two paired shares with Newcombe's interval (1998, "paired", method 10).

    Args:
        new: Of each example whether it is right, shape `(n,)`.
        old: The same examples, the other variant.
    """
    n = len(new)
    both, only_new = int((new & old).sum()), int((new & ~old).sum())
    only_old, neither = int((~new & old).sum()), int((~new & ~old).sum())
    ours, theirs = wilson(both + only_new, n), wilson(both + only_old, n)
    margins = (both + only_new) * (only_old + neither) * (both + only_old) * (only_new + neither)
    excess = both * neither - only_new * only_old
    correlation = 0.0 if margins == 0 else (max(excess - n / 2, 0) if excess > 0 else excess) / math.sqrt(margins)
    difference = ours.value - theirs.value

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(one**2 - 2 * correlation * one * other + other**2, 0.0))

    below = reach(ours.value - ours.low, theirs.high - theirs.value)
    above = reach(ours.high - ours.value, theirs.value - theirs.low)
    return Interval(difference, difference - below, difference + above)
