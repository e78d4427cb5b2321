"""Intervals: against scipy and statsmodels, and against published figures where they have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap
from statsmodels.stats.proportion import proportion_confint

from tunescale_core.errors import MetricError
from tunescale_core.stats.interval import bca_interval, newcombe, percentile_interval, wilson
from tunescale_core.stats.resampling import weights

SAMPLE = np.random.default_rng(1).gamma(2.0, size=80)

BITS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60)


def replicates_of(sample: np.ndarray, resamples: int = 4000) -> np.ndarray:
    drawn = weights([""] * len(sample), resamples)
    return drawn @ sample / drawn.sum(axis=1)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_bootstrap_intervals_are_scipys(method: str) -> None:
    """The percentile and the BCa interval agree with scipy's to the resampling error."""
    theirs = bootstrap((SAMPLE,), np.mean, n_resamples=4000, method=method, rng=np.random.default_rng(2))
    jackknife = (SAMPLE.sum() - SAMPLE) / (len(SAMPLE) - 1)
    ours = (
        percentile_interval(SAMPLE.mean(), replicates_of(SAMPLE))
        if method == "percentile"
        else bca_interval(SAMPLE.mean(), replicates_of(SAMPLE), jackknife)
    )
    assert ours.value == pytest.approx(SAMPLE.mean())
    tolerance = 4 * SAMPLE.std() / len(SAMPLE) ** 0.5 / 4000**0.5 * 3
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=tolerance)


def test_a_constant_has_a_point_for_an_interval() -> None:
    """Where nothing varies, both ends are the value; where nothing is defined, there is no interval."""
    found = bca_interval(2.0, np.full(50, 2.0), np.full(9, 2.0))
    assert (found.low, found.value, found.high) == (2.0, 2.0, 2.0)
    assert found.excludes_zero
    with pytest.raises(MetricError, match="no resample defines"):
        percentile_interval(0.0, np.full(5, np.nan))


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_statsmodels(counts: tuple[int, int]) -> None:
    """The score interval of a share agrees with statsmodels'."""
    found = wilson(*counts)
    assert (found.low, found.high) == pytest.approx(proportion_confint(*counts, method="wilson"), abs=1e-9)


def test_newcombe_gives_the_published_interval() -> None:
    """Newcombe's (1998) paired example with 36, 12, 2 and 0 pairs gives 0.20 from 0.0569 to 0.3404."""
    new = np.repeat([True, True, False, False], [36, 12, 2, 0])
    old = np.repeat([True, False, True, False], [36, 12, 2, 0])
    found = newcombe(new, old)
    assert (found.value, found.low, found.high) == pytest.approx((0.20, 0.0569, 0.3404), abs=5e-5)


@given(BITS)
def test_newcombe_is_antisymmetric_and_holds_the_difference(bits: list[tuple[bool, bool]]) -> None:
    """Swapping the sides mirrors the interval, which lies within [-1, 1] around the difference."""
    new, old = np.array(bits).T
    found, mirrored = newcombe(new, old), newcombe(old, new)
    assert -1 - 1e-9 <= found.low <= found.value <= found.high <= 1 + 1e-9
    assert (found.low, found.high) == pytest.approx((-mirrored.high, -mirrored.low))
