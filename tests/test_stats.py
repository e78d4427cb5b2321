"""Intervals, tests and power: against scipy and statsmodels, and against published figures where they have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, permutation_test, spearmanr
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.proportion import proportion_confint

from tunescale_core.errors import MetricError
from tunescale_core.stats import (
    adjusted,
    bca_interval,
    correlation,
    enough,
    enough_for_shares,
    log_ratio_p,
    mcnemar,
    newcombe,
    paired_p,
    percentile_interval,
    sign_flip,
    weighted_percentile,
    weights,
    wilson,
)

SAMPLE = np.random.default_rng(1).gamma(2.0, size=80)
BITS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60)


def replicates_of(sample: np.ndarray, resamples: int = 4000) -> np.ndarray:
    drawn = weights([""] * len(sample), resamples)
    return drawn @ sample / drawn.sum(axis=1)


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=20), st.integers(0, 5))
def test_groups_are_drawn_whole(groups: list[str], seed: int) -> None:
    """Examples of one group count equally often, and as many groups are drawn as there are."""
    drawn = weights(groups, 8, seed)
    assert drawn.shape == (8, len(groups))
    named = [name or str(place) for place, name in enumerate(groups)]
    firsts = {name: named.index(name) for name in named}
    assert all((drawn[:, place] == drawn[:, firsts[name]]).all() for place, name in enumerate(named))
    assert (drawn[:, list(firsts.values())].sum(axis=1) == len(firsts)).all()


def test_the_same_examples_are_drawn_alike() -> None:
    """Resamples are a function of the examples and the seed."""
    assert (weights([""] * 9, 5, 3) == weights([""] * 9, 5, 3)).all()
    assert (weights([""] * 9, 5, 3) != weights([""] * 9, 5, 4)).any()
    with pytest.raises(MetricError, match="no examples"):
        weights([])


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


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_statsmodels(gained: int, lost: int) -> None:
    """The exact p agrees with statsmodels'."""
    theirs = their_mcnemar([[5, gained], [lost, 5]], exact=True).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(float(theirs))


def test_sign_flips_see_a_shift_and_no_more() -> None:
    """Forty gains of one sign are no accident; as many losses as gains are."""
    assert sign_flip(np.full(40, 0.5)) < 0.001
    assert sign_flip(np.array([0.5, -0.5] * 20)) == 1.0


@pytest.mark.parametrize("law", ["binary", "mean", "composite", "error"])
def test_each_laws_test_tells_a_shift_from_none(law: str) -> None:
    """Every test finds a clear shift, and none between a side and itself."""
    rng = np.random.default_rng(0)
    old = rng.integers(0, 2, 120).astype(float)
    new = np.maximum(old, rng.integers(0, 2, 120))
    drawn = weights([""] * 120)
    gains = drawn @ (new - old) / 120
    assert paired_p(law, new, old, gains) < 0.01  # type: ignore[arg-type]
    assert paired_p(law, old, old, np.zeros(2000)) == 1.0  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_only_raise_p(ps: list[float]) -> None:
    """Holm corrects more than Benjamini and Hochberg, and neither lowers a p or passes 1."""
    explored, gated = adjusted(ps), adjusted(ps, "holm")
    for p, one, other in zip(ps, explored, gated, strict=True):
        assert p <= one + 1e-12
        assert one <= other + 1e-9
        assert other <= 1
    assert adjusted([]) == []


@pytest.mark.parametrize(("points", "n"), [(5, 626), (3, 1742), (1, 15696)])
def test_connors_sample_sizes(points: int, n: int) -> None:
    """At 20 % discordant pairs, McNemar needs 626, 1,742 or 15,696 examples for 5, 3 or 1 points."""
    gained = np.repeat([True, False], [1000 + 50 * points, 1000 - 50 * points])
    new, old = np.concatenate([gained, np.ones(8000, bool)]), np.concatenate([~gained, np.ones(8000, bool)])
    assert enough_for_shares(new, old) == n
    assert enough_for_shares(old, old) is None


def test_enough_falls_with_the_square_of_the_effect() -> None:
    """Half the effect needs four times the examples, and no effect cannot be seen by any number."""
    noise = np.random.default_rng(0).normal(0, 0.05, 4000)
    large, small = enough(0.2, noise, 100), enough(0.1, noise, 100)
    assert large is not None
    assert small == pytest.approx(4 * large, abs=4)
    assert enough(0.0, noise, 100) is None


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), min_size=1, max_size=20), st.integers(1, 99))
def test_the_weighted_percentile_is_that_of_the_repeated_values(pairs: list[tuple[int, int]], rank: int) -> None:
    """A value that counts k times is one that stands there k times."""
    values, counts = np.array(pairs, dtype=float).T
    if counts.sum():
        expected = np.percentile(np.repeat(values, counts.astype(int)), rank, method="inverted_cdf")
        assert weighted_percentile(values, counts[None, :], rank)[0] == expected


def test_correlations() -> None:
    """A straight line has r 1 and a monotone curve rho 1; two points or a constant side have none."""
    line, curve = correlation([1, 2, 4, 8], [2, 4, 8, 16]), correlation([1, 2, 4, 8], [1, 5, 6, 7], ranks=True)
    assert line is not None
    assert line[0] == pytest.approx(1)
    assert curve == pytest.approx((1, 2 / 24))
    assert correlation([1, 2], [1, 2]) is None
    assert correlation([1, 2, 3], [5, 5, 5]) is None


@settings(max_examples=30)
@given(st.permutations(range(5)))
def test_small_rank_correlations_have_exact_p(order: list[int]) -> None:
    """With five points p is a multiple of 1 in 120 orders."""
    found = correlation(list(range(5)), [float(place) for place in order], ranks=True)
    assert found is not None
    assert found[1] * 120 == pytest.approx(round(found[1] * 120))


@pytest.mark.parametrize("n", [4, 6, 8])
def test_the_exact_rank_test_is_scipys(n: int) -> None:
    """Trying all orders gives scipy's rho, ties included, and the p of its permutation test."""
    x, y = [1.0, 2.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0][:n], [1.0, 3.0, 2.0, 5.0, 4.0, 7.0, 6.0, 8.0][:n]
    found = correlation(x, y, ranks=True)
    assert found is not None
    assert found[0] == pytest.approx(float(spearmanr(x, y).statistic))
    if n < 8:
        theirs = permutation_test(
            (x,), lambda order: spearmanr(order, y).statistic, permutation_type="pairings", n_resamples=np.inf
        )
        assert found[1] == pytest.approx(theirs.pvalue)


def test_ranks_against_the_mean_support_nothing() -> None:
    """Where most errors grow a little and few shrink a lot, the mean's gain has no support from the ranks."""
    old = np.full(100, 100.0)
    new = np.where(np.arange(100) < 80, 100.2, 0.5)
    assert paired_p("error", new, old, np.zeros(10)) > 0.5


def test_enough_is_silent_on_what_overflows() -> None:
    """A difference beside which the replicates overflow has no number of examples, rather than a crash."""
    assert enough(1.0, np.array([1e200, -1e200, 1e300]), 10) is None


def test_latency_is_tested_by_ratios() -> None:
    """Twice the time on every question is no accident however the questions differ; equal or mixed times are none."""
    old = np.geomspace(0.01, 10, 20)
    assert log_ratio_p(2 * old, old) < 0.001
    assert log_ratio_p(old, old) == 1.0
    assert log_ratio_p(old * np.where(np.arange(20) < 19, 1.01, 0.2), old) == 1.0
    assert log_ratio_p(np.array([2.0]), np.array([1.0])) == 1.0
