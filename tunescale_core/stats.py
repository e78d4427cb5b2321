"""Intervals, tests and power for what records show. Pure functions over numpy, scipy and statsmodels.

A resample is a row of weights: how often each example counts. All variants that answered the same examples are
weighed by the same rows, so any difference or ratio between them is paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

from tunescale_core.errors import MetricError
from tunescale_core.tasks.task import Figures, Law

RESAMPLES = 2000
CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
POWER = 0.8
PERMUTATIONS = 10_000
LARGEST_EXACT = 8
"""Points up to which all orders are tried for Spearman's p: 40,320 of them."""
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


def weights(groups: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> Figures:
    """Draw bootstrap resamples of n examples, whole groups at a time (Efron and Tibshirani, 1993, ch. 8).

    Args:
        groups: Of each example, what it shares with those that are drawn together with it; "" is alone.
        resamples: How many, B.
        seed: Of the draw; the same examples with the same seed get the same resamples.

    Returns:
        How often each example counts, shape `(B, n)`.

    Raises:
        MetricError: There is no example.
    """
    import numpy as np

    if not groups:
        raise MetricError("resampling of no examples is undefined: give at least one")
    named = [group or f"\0{place}" for place, group in enumerate(groups)]
    members = {name: number for number, name in enumerate(dict.fromkeys(named))}
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    return drawn[:, [members[name] for name in named]].astype(float)


def percentile_interval(value: float, replicates: Figures) -> Interval:
    """Return the percentile bootstrap interval (Efron and Tibshirani, 1993, ch. 13) around `value`.

    Raises:
        MetricError: No replicate is defined.
    """
    import numpy as np

    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        raise MetricError("no resample defines the figure, so it has no interval: give more examples")
    low, high = np.quantile(defined, [ALPHA / 2, 1 - ALPHA / 2])
    return Interval(float(value), float(low), float(high))


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


def newcombe(new: Figures, old: Figures) -> Interval:
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


def paired_p(law: Law, new: Figures, old: Figures, replicates: Figures) -> float:
    """Return the two-sided p of "no difference" by the test that suits the metric.

    Right or wrong: exact McNemar. A mean: sign-flip permutation. A distance: Wilcoxon's signed ranks of its
    log1p. A composite figure: the paired bootstrap, twice the smaller share of resamples on one side of zero.

    Args:
        law: Of the metric.
        new: What each example contributes, shape `(n,)`; NaN where it does not count.
        old: The same examples, the other variant.
        replicates: The difference in each resample, shape `(B,)`.
    """
    import numpy as np

    counted = ~(np.isnan(new) | np.isnan(old))
    gains = new[counted] - old[counted]
    if law != "composite" and not np.any(gains):
        return 1.0
    if law == "binary":
        return mcnemar(int((gains > 0).sum()), int((gains < 0).sum()))
    if law == "mean":
        return sign_flip(gains)
    if law == "error":
        from scipy.stats import wilcoxon

        ranked = wilcoxon(np.log1p(new[counted]), np.log1p(old[counted]), alternative="greater")
        upward = float(ranked.pvalue)
        one_sided = upward if gains.mean() > 0 else 1 - upward  # ranks that point the other way support nothing
        return float(min(1.0, 2 * one_sided))
    defined = replicates[~np.isnan(replicates)]
    above, below = ((defined >= 0).sum() + 1, (defined <= 0).sum() + 1)
    return float(min(1.0, 2 * min(above, below) / (len(defined) + 1)))


def log_ratio_p(new: Figures, old: Figures) -> float:
    """Return the two-sided p that two sides take as long, by flipping the signs of the questions' log-ratios.

    A ratio of each question cancels that some are longer than others. Where the mean of the ratios points the other
    way than the difference of the means, they support nothing, and p is 1.

    Args:
        new: Seconds of each question, shape `(n,)`, all above zero.
        old: The same questions, the other side.
    """
    import numpy as np

    ratios = np.log(new / old)
    if not np.any(ratios) or ratios.mean() * (new.mean() - old.mean()) <= 0:
        return 1.0
    return at_least_chance(sign_flip(ratios), len(ratios))


def at_least_chance(p: float, units: int) -> float:
    """Return a bootstrap's p, but no smaller than chance allows with so few independent units: 2 · 2^-units.

    Resampling one example can only draw it again, which proves nothing; flipping the signs of so many differences can
    do no better than this.
    """
    return max(p, min(1.0, 2.0 ** (1 - units)))


def mcnemar(gained: int, lost: int) -> float:
    """Return the exact two-sided p that as many examples were gained as lost (McNemar, 1947)."""
    from scipy.stats import binomtest

    return 1.0 if gained + lost == 0 else float(binomtest(gained, gained + lost).pvalue)


def sign_flip(gains: Figures, seed: int = 0) -> float:
    """Return the two-sided p that gains are as likely losses, by flipping their signs `PERMUTATIONS` times."""
    import numpy as np

    flipped = _signs(len(gains), seed) @ gains.astype(np.float32)
    reached = (np.abs(flipped) >= abs(gains.sum()) * (1 - 1e-6)).sum()
    return float((reached + 1) / (PERMUTATIONS + 1))


@lru_cache(maxsize=8)  # every comparison over as many examples flips alike
def _signs(n: int, seed: int) -> Figures:
    import numpy as np

    return np.random.default_rng(seed).choice(np.array([-1.0, 1.0], dtype=np.float32), size=(PERMUTATIONS, n))


def adjusted(ps: Sequence[float], method: str = "fdr_bh") -> list[float]:
    """Return p values corrected for their number: `fdr_bh` (Benjamini and Hochberg) to explore, `holm` for gates."""
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(ps, ALPHA, method)[1]] if ps else []


def enough_for_shares(new: Figures, old: Figures) -> int | None:
    """Return the n at which exact McNemar would see the difference of two paired shares (Connor, 1987).

    Returns:
        n for power `POWER` at level `ALPHA`; None where the shares do not differ.
    """
    from scipy.special import ndtri

    difference, discordant = float(new.mean() - old.mean()), float((new != old).mean())
    if difference == 0:
        return None
    z, zb = float(ndtri(1 - ALPHA / 2)), float(ndtri(POWER))
    root = z * math.sqrt(discordant) + zb * math.sqrt(discordant - difference**2)
    return math.ceil(root**2 / difference**2)


def enough(value: float, replicates: Figures, n: int) -> int | None:
    """Return the n at which a difference of `value` would be seen, its error shrinking with the root of n.

    Returns:
        n for power `POWER` at level `ALPHA`; None where the value is zero.
    """
    import numpy as np
    from scipy.special import ndtri

    if value == 0:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.nanstd(replicates / value))
    needed = n * (float(ndtri(1 - ALPHA / 2) + ndtri(POWER)) * error) ** 2
    return max(2, math.ceil(needed)) if math.isfinite(needed) else None


def weighted_percentile(values: Figures, drawn: Figures, rank: float) -> Figures:
    """Return a percentile where each value stands so many times: shapes `(n,)` and `(B, n)` to `(B,)`.

    It is the smallest value that at least `rank` percent of the weight does not exceed.
    """
    import numpy as np

    order = np.argsort(values)
    reached = np.cumsum(drawn[:, order], axis=1)
    return values[order][np.argmax(reached >= reached[:, -1:] * (rank / 100) * (1 - 1e-9), axis=1)]


def correlation(x: Sequence[float], y: Sequence[float], *, ranks: bool = False) -> tuple[float, float] | None:
    """Return Pearson's r, or Spearman's rho, with its two-sided p.

    Returns:
        None where it is undefined: fewer than three points, or a constant side. The p of three points or more is
        exact only under normality (Pearson) or by all permutations (Spearman, up to 8 points).
    """
    from scipy.stats import pearsonr, spearmanr

    if len(x) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        return None
    if not ranks:
        found = pearsonr(x, y)
        return float(found.statistic), float(found.pvalue)
    if len(x) > LARGEST_EXACT:
        found = spearmanr(x, y)
        return float(found.statistic), float(found.pvalue)
    return _exact_spearman(x, y)


def _exact_spearman(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return rho and the share of all orders of `x` whose rho is as far from zero."""
    import numpy as np
    from scipy.stats import rankdata

    ranks = [rankdata(side) - (len(side) + 1) / 2 for side in (x, y)]
    scale = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    orders = np.array(list(permutations(range(len(x)))))
    every = ranks[0][orders] @ ranks[1] / scale
    rho = float(ranks[0] @ ranks[1] / scale)
    return rho, float((np.abs(every) >= abs(rho) - 1e-9).mean())
