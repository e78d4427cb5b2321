"""Intervals for what records show. Pure functions over scipy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunescale_core.errors import MetricError
from tunescale_core.tasks.task import Answer, Metric

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval, in the metric's unit."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Tell whether zero lies outside."""
        return self.low > 0 or self.high < 0


def paired_difference(metric: Metric, new: Sequence[Answer], old: Sequence[Answer], seed: int = 0) -> Interval:
    """Return `metric(new) - metric(old)` with a paired percentile bootstrap interval.

    The metric is recomputed in each of `RESAMPLES` resamples of the examples, which both sides share
    (Efron and Tibshirani, 1993, ch. 13); its level is `CONFIDENCE`.

    Raises:
        MetricError: The sides differ in length or are empty, or the metric is undefined for them.
    """
    import numpy as np
    from scipy.stats import bootstrap

    if len(new) != len(old) or not new:
        raise MetricError(f"{metric.name}: a paired difference needs the same examples, got {len(new)} and {len(old)}")

    def difference(places: Sequence[int]) -> float:
        values = [metric([side[place] for place in places]) for side in (new, old)]
        if values[0] is None or values[1] is None:
            return float("nan")
        return values[0] - values[1]

    value = difference(range(len(new)))
    if np.isnan(value):
        raise MetricError(f"{metric.name} is undefined for these answers, so is its difference")
    found = bootstrap(
        (np.arange(len(new)),),
        difference,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high))
