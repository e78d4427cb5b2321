"""Resamples as rows of weights: how often each example counts.

All variants that answered the same examples are weighed by the same rows, so any difference or ratio between them is
paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tunescale_core.arrays import Figures
from tunescale_core.errors import MetricError

if TYPE_CHECKING:
    from numpy.random import Generator

RESAMPLES = 2000
BLOCK = 500
"""Resamples computed at once, where there are many."""


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

    members = members_of(groups)
    number = max(members) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=resamples)
    return drawn[:, members].astype(float)


def members_of(groups: Sequence[str]) -> list[int]:
    """Return each example's group, by number from 0 on; "" is alone.

    Raises:
        MetricError: There is no example.
    """
    if not groups:
        raise MetricError("resampling of no examples is undefined: give at least one")
    named = [group or f"\0{place}" for place, group in enumerate(groups)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(named))}
    return [numbers[name] for name in named]


def units_of(groups: Sequence[str]) -> int:
    """Return how many examples, or groups of them, are independent of each other.

    Raises:
        MetricError: There is no example.
    """
    return max(members_of(groups)) + 1


def counts(groups: Sequence[str], resamples: int, seed: int = 0) -> Figures:
    """Draw resamples as `weights` does, in an eighth of the memory: for many resamples of many examples.

    A group is drawn n times of n with a mean of 1, so no count comes near what a byte holds.

    Returns:
        How often each example counts, bytes of shape `(B, n)`.

    Raises:
        MetricError: There is no example.
    """
    import numpy as np

    members = members_of(groups)
    n, rng = max(members) + 1, np.random.default_rng(seed)

    def block(size: int) -> Figures:
        drawn = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        return np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.uint8)

    starts = range(0, resamples, BLOCK)
    return np.concatenate([block(min(BLOCK, resamples - start)) for start in starts])[:, members]


def replicated(figure: Callable[[Figures], Figures], drawn: Figures) -> Figures:
    """Return a figure in each resample, shape `(B,)`, computed for `BLOCK` resamples at a time.

    Args:
        figure: Turns weights of shape `(b, n)` into a figure of shape `(b,)`.
        drawn: Counts of shape `(B, n)`.
    """
    import numpy as np

    starts = range(0, len(drawn), BLOCK)
    return np.concatenate([figure(drawn[start : start + BLOCK].astype(float)) for start in starts])


def weighted_percentile(values: Figures, drawn: Figures, rank: float) -> Figures:
    """Return a percentile where each value stands so many times: shapes `(n,)` and `(B, n)` to `(B,)`.

    It is the smallest value that at least `rank` percent of the weight does not exceed.
    """
    import numpy as np

    order = np.argsort(values)
    reached = np.cumsum(drawn[:, order], axis=1)
    found: Figures = values[order][np.argmax(reached >= reached[:, -1:] * (rank / 100) * (1 - 1e-9), axis=1)]
    return found


def percentiles(
    values: Figures, rank: float, resamples: int, seed: int | Sequence[int] = 0, units: int | None = None
) -> Figures:
    """Draw where a percentile of what there is to be measured may lie, shape `(B,)`, from few measurements.

    Of n the number that lie below it is binomial, so it lies under the next one: of those draws as many lie below the
    true percentile as the order statistics' bound says (David and Nagaraja, 2003, sec. 7.1). Infinite where it may lie
    beyond the largest.

    Args:
        values: What was measured, shape `(n,)`.
        rank: In percent.
        resamples: How many, B.
        seed: Of the draw: those of as many values are drawn alike.
        units: How many of them are independent, all unless given: values of one group are taken to be one value.
    """
    import numpy as np
    from scipy.stats import binom

    units = units or len(values)

    # Evenly spread over its probability, and not drawn: a bound should not hang on which draws came.
    places = (np.random.default_rng(seed).permutation(resamples) + 0.5) / resamples
    below = binom.ppf(places, units, rank / 100).astype(int)
    drawn: Figures = np.append(np.sort(values), np.inf)[below * len(values) // units]
    return drawn


def widened(means: Figures, units: int, seed: int | Sequence[int] = 0) -> Figures:
    """Return resampled means as far apart as those of few units are from the truth, shape `(B,)`.

    A resample's variance is (n - 1) / n of a sample's, which itself is known from n units alone: their deviations are
    taken as Student's t has them (the bootstrap's of Hesterberg, 2015, sec. 4.2).

    Args:
        means: In each resample, shape `(B,)`.
        units: Examples or groups that were drawn independently, at least 2.
        seed: Of the draw: means of as many units are widened alike, so that their differences stay paired.
    """
    import numpy as np

    scale = np.sqrt(units / np.random.default_rng(seed).chisquare(units - 1, len(means)))
    centre = means.mean()
    return np.asarray(centre + (means - centre) * scale, dtype=float)


def over_seeds(each: Figures, rng: Generator) -> Figures:
    """Return replicates of a figure's mean over all seeds there could be, from those of the few there are.

    To the mean over seeds comes, in each resample, the error of taking k seeds for all: Student's t with k - 1 degrees
    of freedom, times the standard error of what seeds differ by (Student, 1908). Drawing k seeds with replacement
    instead would make their spread smaller by (k - 1) / k, and k = 3 surer than it is. What seeds differ by because
    each answers a few questions otherwise by chance is in the resamples already, and is taken off their variance.

    Args:
        each: Replicates of each seed, under the same resamples of the examples, shape `(B, k)`, k at least 2.
        rng: Of the draw.

    Returns:
        Shape `(B,)`; its tails are long where k is small, so its spread is to be read from quantiles.
    """
    import numpy as np

    bounded = ~np.isinf(each).any(axis=1)  # a percentile may lie beyond all that was measured
    if not bounded.all():
        whole = np.full(len(each), np.inf)
        if bounded.any():
            whole[bounded] = over_seeds(each[bounded], rng)
        return whole
    resamples, k = each.shape
    mean: Figures = each.mean(axis=1)
    within = float(np.nanvar(each - mean[:, None], axis=0).mean()) * k / (k - 1)
    between = max(0.0, float(np.nanmean(each, axis=0).var(ddof=1)) - within)
    error: Figures = rng.standard_t(k - 1, resamples) * math.sqrt(between / k)
    return mean + error
