"""Tests of two sides that answered the same examples: how often chance alone shows as much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from tunescale_core.arrays import Figures
from tunescale_core.stats.drift import Drift
from tunescale_core.stats.resampling import members_of
from tunescale_core.tasks.task import Law

PERMUTATIONS = 10_000


def paired_p(law: Law, new: Figures, old: Figures, replicates: Figures | None = None) -> float:
    """Return the two-sided p of "no difference" by the test that suits the metric.

    Right or wrong: exact McNemar. A mean: sign-flip permutation. A distance: Wilcoxon's signed ranks of its
    log1p. A composite figure: the paired bootstrap, twice the smaller share of resamples on one side of zero.

    Args:
        law: Of the metric.
        new: What each example contributes, shape `(n,)`; NaN where it does not count.
        old: The same examples, the other variant.
        replicates: The difference in each resample, shape `(B,)`; a composite figure needs it.

    Raises:
        ValueError: A composite figure comes without.
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

        # To the side that the mean points to: ranks that point the other way support nothing.
        side = "greater" if gains.mean() > 0 else "less"
        ranked = wilcoxon(np.log1p(new[counted]), np.log1p(old[counted]), alternative=side)
        return float(min(1.0, 2 * ranked.pvalue))
    if replicates is None:
        raise ValueError("a composite figure is tested by its replicates: give them")
    return _tails(replicates[~np.isnan(replicates)])


def below_p(law: Law, new: Figures, old: Figures) -> float:
    """Return the one-sided p of "no lower": how often chance alone puts `new` as far below `old`.

    The tests of `paired_p`; a composite figure has none of its own, see `bootstrap_below_p`.

    Args:
        law: Of the metric; not "composite".
        new: What each example that counts contributes, shape `(n,)`, no NaN.
        old: The same examples, the other side.
    """
    import numpy as np

    with np.errstate(invalid="ignore"):
        gains = np.where(new == old, 0.0, new - old)  # two equal infinities differ by nothing
    if not np.any(gains):
        return 1.0
    if law == "binary":
        return mcnemar_below(int((gains > 0).sum()), int((gains < 0).sum()))
    if law == "mean":
        return sign_flip_below(gains)
    from scipy.stats import wilcoxon

    moved = gains != 0
    return float(wilcoxon(np.log1p(new[moved]) - np.log1p(old[moved]), alternative="less").pvalue)


def bootstrap_below_p(replicates: Figures, units: int, margin: float = 0.0) -> float:
    """Return the share of resamples whose difference does not fall below minus a margin: (count + 1) / (B + 1).

    Where none does not, it is the bound of `beyond_all`, if that is less: however many gates a p is corrected for, a
    figure that collapsed must be seen.

    Args:
        replicates: The difference in each resample, shape `(B,)`; NaN where it is undefined.
        units: How many examples or groups differ; p is no less than 2^-units, which is what flipping the signs of so
            many differences could show at best.
        margin: At least 0.
    """
    import numpy as np

    defined = replicates[~np.isnan(replicates)]
    within = int((defined >= -margin - 1e-12).sum())
    share = (within + 1) / (len(defined) + 1)
    if not within and len(defined) and (spread := float(defined.std())):
        share = min(share, beyond_all(float(defined.mean() + margin) / spread))
    return float(max(share, 2.0**-units))


def wider_p(value: float, replicates: Figures) -> float:
    """Return the two-sided p of "no difference" by percentile and basic bootstrap, the larger: of `wider_interval`.

    Args:
        value: The difference.
        replicates: It in each resample, shape `(B,)`.
    """
    import numpy as np

    defined = replicates[~np.isnan(replicates)]
    return max(_tails(defined), _tails(2 * value - defined))


def log_ratio_p(new: Figures, old: Figures, group: Sequence[str], drift: Drift | None = None) -> float:
    """Return the two-sided p that two sides take as long, by flipping the signs of the questions' log-ratios.

    A ratio of each question cancels that some are longer than others; those of questions on one passage, which are
    not independent, are flipped together. The machine's drift, which all questions of a side share, is added to what
    the flips come to. Where the mean of the ratios points the other way than the difference of the means, they support
    nothing, and p is 1.

    Args:
        new: Seconds of each question, shape `(n,)`, all above zero.
        old: The same questions, the other side.
        group: Of each question, what it shares with those that are not independent of it; "" is alone.
        drift: Of the machine between the sides; None where it is not known.
    """
    import numpy as np

    ratios = np.log(new / old)
    if not np.any(ratios) or ratios.mean() * (new.mean() - old.mean()) <= 0:
        return 1.0
    sums: Figures = np.bincount(members_of(group), ratios).astype(float)
    flipped = _flipped(sums)
    steady = _two_sided(sums, flipped)
    if drift is None:
        return at_least_chance(steady, len(sums))
    return at_least_chance(max(steady, drift.beyond(float(ratios.mean()), flipped / len(ratios))), len(sums))


def spread_p(new: Figures, old: Figures, group: Sequence[str], drift: Drift | None = None) -> float:
    """Return the two-sided p that two sides vary as much, by Pitman's and Morgan's test (both 1939).

    Sums and differences of pairs correlate where one side varies more. Questions on one passage count as one. A machine
    that was slower while one side ran stretches its spread by as much, which is added to what chance does to it: with
    r the correlation of the sides and f degrees of freedom, Student's t of the test is a ratio of spreads whose
    logarithm is asinh(t √((1 - r²) / f)).

    Args:
        new: Seconds of each question, shape `(n,)`.
        old: The same questions, the other side.
        group: Of each question, what it shares with those that are not independent of it; "" is alone.
        drift: Of the machine between the sides; None where it is not known.

    Returns:
        1 where fewer than three are independent, or a side does not vary.
    """
    import numpy as np
    from scipy.stats import t

    freedom = max(members_of(group)) + 1 - 2
    total, apart = new + old, new - old
    if freedom < 1 or not (new.std() > 0 and old.std() > 0 and total.std() > 0):
        return 1.0
    r = float(np.corrcoef(total, apart)[0, 1]) if apart.std() > 0 else 0.0
    p = 2 * float(t.sf(abs(r) * math.sqrt(freedom / max(1 - r**2, 1e-12)), freedom))
    if drift is None:
        return p
    alike = min(1.0, float(np.corrcoef(new, old)[0, 1]) ** 2)
    by_chance = np.arcsinh(_students(freedom) * math.sqrt((1 - alike) / freedom))
    return max(p, drift.beyond(math.log(new.std() / old.std()), by_chance))


def at_least_chance(p: float, units: int) -> float:
    """Return a bootstrap's p, but no smaller than chance allows where so few units differ: 2 · 2^-units.

    Resampling one example can only draw it again, which proves nothing; flipping the signs of so many differences can
    do no better than this.
    """
    return max(p, min(1.0, 2.0 ** (1 - units)))


def mcnemar(gained: int, lost: int) -> float:
    """Return the exact two-sided p that as many examples were gained as lost (McNemar, 1947)."""
    from scipy.stats import binomtest

    return 1.0 if gained + lost == 0 else float(binomtest(gained, gained + lost).pvalue)


def mcnemar_below(gained: int, lost: int) -> float:
    """Return the exact one-sided p that no more examples were lost than gained (McNemar, 1947)."""
    from scipy.stats import binomtest

    return 1.0 if gained + lost == 0 else float(binomtest(lost, gained + lost, alternative="greater").pvalue)


def sign_flip_below(gains: Figures, seed: int = 0) -> float:
    """Return the one-sided p that losses are as likely gains, by flipping their signs `PERMUTATIONS` times."""
    import numpy as np

    reached = (_flipped(gains, seed) <= gains.sum() + _rounding(gains)).sum()
    share = float((reached + 1) / (PERMUTATIONS + 1))
    if gains.sum() < 0:
        share = min(share, max(beyond_all(float(gains.sum() / np.sqrt((gains**2).sum()))), 2.0 ** -len(gains)))
    return share


def beyond_all(deviations: float) -> float:
    """Return how often chance goes so many standard deviations down, at most: exp(-z² / 2).

    Of flipped signs that is Hoeffding's inequality (1963); of a normal figure it is above the tail itself.
    """
    return math.exp(-(deviations**2) / 2)


def sign_flip(gains: Figures, seed: int = 0) -> float:
    """Return the two-sided p that gains are as likely losses, by flipping their signs `PERMUTATIONS` times."""
    return _two_sided(gains, _flipped(gains, seed))


def _tails(replicates: Figures) -> float:
    above, below = ((replicates >= 0).sum() + 1, (replicates <= 0).sum() + 1)
    return float(min(1.0, 2 * min(above, below) / (len(replicates) + 1)))


def _two_sided(gains: Figures, flipped: Figures) -> float:
    import numpy as np

    reached = (np.abs(flipped) >= abs(gains.sum()) - _rounding(gains)).sum()
    return float((reached + 1) / (PERMUTATIONS + 1))


def _flipped(gains: Figures, seed: int = 0) -> Figures:
    """Return the sum of the gains under each flip of their signs, shape `(PERMUTATIONS,)`, in single precision."""
    import numpy as np

    return _signs(len(gains), seed) @ gains.astype(np.float32)


def _rounding(gains: Figures) -> float:
    """Return how far single precision may put a sum from where it is, however little the gains come to."""
    import numpy as np

    return float(np.finfo(np.float32).eps * math.sqrt(len(gains)) * np.abs(gains).sum())


@lru_cache(maxsize=8)  # every comparison over as many examples flips alike
def _signs(n: int, seed: int) -> Figures:
    import numpy as np

    return np.random.default_rng(seed).choice(np.array([-1.0, 1.0], dtype=np.float32), size=(PERMUTATIONS, n))


@lru_cache(maxsize=8)
def _students(freedom: int) -> Figures:
    """Return `PERMUTATIONS` quantiles of Student's t, evenly spread over its probability, in no order."""
    import numpy as np
    from scipy.stats import t

    return np.random.default_rng(0).permutation(t.ppf((np.arange(PERMUTATIONS) + 0.5) / PERMUTATIONS, freedom))
