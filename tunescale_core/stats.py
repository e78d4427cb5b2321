"""Intervals for what records show. Pure functions over scipy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tunescale_core.errors import MetricError
from tunescale_core.tasks.task import Answer, Metric

Sample = Any
"""A numpy array; numpy is imported where it is used."""
Statistic = Callable[..., Any]
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
    sample, statistic = _gains(metric, new, old) if metric.each else _places(metric, new, old)
    value = float(statistic(sample, axis=-1))
    if np.isnan(value):
        raise MetricError(f"{metric.name} is undefined for these answers, so is its difference")
    found = bootstrap(
        (sample,),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high))


def _gains(metric: Metric, new: Sequence[Answer], old: Sequence[Answer]) -> tuple[Sample, Statistic]:
    """A mean's difference is the mean of the differences."""
    import numpy as np

    if metric.each is None:
        raise ValueError(f"{metric.name} is no mean over answers")
    sides = [np.array([metric.each(answer) for answer in side]) for side in (new, old)]
    return sides[0] - sides[1], np.mean


def _places(metric: Metric, new: Sequence[Answer], old: Sequence[Answer]) -> tuple[Sample, Statistic]:
    """Any other metric is computed again from the answers at the places drawn."""
    import numpy as np

    def difference(places: Sample) -> float:
        values = [metric([side[place] for place in places]) for side in (new, old)]
        return float("nan") if values[0] is None or values[1] is None else values[0] - values[1]

    def statistic(places: Sample, axis: int) -> Any:
        return np.apply_along_axis(difference, axis, places)

    return np.arange(len(new)), statistic
