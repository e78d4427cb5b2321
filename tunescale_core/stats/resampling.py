"""Resamples as rows of weights: how often each example counts.

All variants that answered the same examples are weighed by the same rows, so any difference or ratio between them is
paired.
"""

from __future__ import annotations

from collections.abc import Sequence

from tunescale_core.errors import MetricError
from tunescale_core.tasks.task import Figures

RESAMPLES = 2000


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


def weighted_percentile(values: Figures, drawn: Figures, rank: float) -> Figures:
    """Return a percentile where each value stands so many times: shapes `(n,)` and `(B, n)` to `(B,)`.

    It is the smallest value that at least `rank` percent of the weight does not exceed.
    """
    import numpy as np

    order = np.argsort(values)
    reached = np.cumsum(drawn[:, order], axis=1)
    return values[order][np.argmax(reached >= reached[:, -1:] * (rank / 100) * (1 - 1e-9), axis=1)]
