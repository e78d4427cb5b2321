"""Resamples as rows of weights: how often each example counts.

All variants that answered the same examples are weighed by the same rows, so any difference or ratio between them is
paired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tunescale_core.errors import MetricError
from tunescale_core.tasks.task import Figures

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

    members = _members(groups)
    number = max(members) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=resamples)
    return drawn[:, members].astype(float)


def _members(groups: Sequence[str]) -> list[int]:
    """Return each example's group, by number."""
    if not groups:
        raise MetricError("resampling of no examples is undefined: give at least one")
    named = [group or f"\0{place}" for place, group in enumerate(groups)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(named))}
    return [numbers[name] for name in named]


def counts(groups: Sequence[str], resamples: int, seed: int = 0) -> Figures:
    """Draw resamples as `weights` does, in an eighth of the memory: for many resamples of many examples.

    A group is drawn n times of n with a mean of 1, so no count comes near what a byte holds.

    Returns:
        How often each example counts, bytes of shape `(B, n)`.

    Raises:
        MetricError: There is no example.
    """
    import numpy as np

    members = _members(groups)
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
    return values[order][np.argmax(reached >= reached[:, -1:] * (rank / 100) * (1 - 1e-9), axis=1)]
