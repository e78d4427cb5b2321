"""Paired tests: against statsmodels where it has them, and what each finds and does not find."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, pearsonr
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar

from tunescale_core.stats.drift import Drift
from tunescale_core.stats.paired import (
    below_p,
    bootstrap_below_p,
    log_ratio_p,
    mcnemar,
    mcnemar_below,
    paired_p,
    sign_flip,
    sign_flip_below,
    spread_p,
    wider_p,
)
from tunescale_core.stats.resampling import weights
from tunescale_core.tasks.task import Law


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


def test_ranks_against_the_mean_support_nothing() -> None:
    """Where most errors grow a little and few shrink a lot, the mean's gain has no support from the ranks."""
    old = np.full(100, 100.0)
    new = np.where(np.arange(100) < 80, 100.2, 0.5)
    assert paired_p("error", new, old) > 0.5


def test_latency_is_tested_by_ratios() -> None:
    """Twice the time on every question is no accident however the questions differ; equal or mixed times are none."""
    old = np.geomspace(0.01, 10, 20)
    alone = [""] * 20
    assert log_ratio_p(2 * old, old, alone) < 0.001
    assert log_ratio_p(old, old, alone) == 1.0
    assert log_ratio_p(old * np.where(np.arange(20) < 19, 1.01, 0.2), old, alone) == 1.0
    assert log_ratio_p(np.array([2.0]), np.array([1.0]), [""]) == 1.0


def test_questions_on_one_passage_are_one_ratio() -> None:
    """A hundred questions on four passages show no more than four ratios can, however alike they are."""
    old, passage = np.ones(100), [str(place % 4) for place in range(100)]
    assert log_ratio_p(2 * old, old, passage) == pytest.approx(2 * 2.0**-4, rel=0.1)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 30])
def test_errors_on_few_questions_prove_no_more_than_their_signs(n: int) -> None:
    """Where every error shrinks, or every one grows, p is that of all signs alike, both ways; never zero."""
    old = np.linspace(5, 10, n)
    new = old - np.linspace(1, 2, n)
    for sides in ((new, old), (old, new)):
        assert paired_p("error", *sides) == pytest.approx(min(1.0, 2.0 ** (1 - n)), rel=1e-6)


@given(st.integers(0, 40), st.integers(0, 40))
def test_one_sided_mcnemar_is_a_binomial_tail(gained: int, lost: int) -> None:
    """It is the chance of so many losses or more among as many coins, and the two sides make up the two-sided p."""
    found = mcnemar_below(gained, lost)
    assert found == pytest.approx(float(binom.sf(lost - 1, gained + lost, 0.5)))
    assert mcnemar(gained, lost) == pytest.approx(min(1.0, 2 * min(found, mcnemar_below(lost, gained))))


@given(st.lists(st.floats(-1, 1).filter(lambda gain: abs(gain) > 0.01), min_size=3, max_size=15))
def test_one_sided_flips_are_half_of_two_sided(gains: list[float]) -> None:
    """The two tails together are the two-sided p, to the resampling error."""
    found = np.array(gains)
    down, both = sign_flip_below(found), sign_flip(found)
    assert min(1.0, 2 * min(down, sign_flip_below(-found))) == pytest.approx(both, abs=0.05)


def test_a_small_sum_of_large_gains_reaches_itself() -> None:
    """Where gains and losses all but cancel out, rounding does not hide the signs as they came among the flips."""
    gains = np.array([1.0, 0.7, 0.3, -0.9, -0.8, -0.2999])
    signs = np.array(list(itertools.product([-1, 1], repeat=6))) @ gains
    exact_down = (signs <= gains.sum() + 1e-12).mean()
    assert sign_flip_below(gains) == pytest.approx(exact_down, abs=0.02)
    assert sign_flip(gains) == pytest.approx((np.abs(signs) >= abs(gains.sum()) - 1e-12).mean(), abs=0.02)


def test_of_two_bootstraps_the_less_sure_counts() -> None:
    """Where resamples lie to one side of the difference, what they leave out and what they mirror are both asked."""
    skewed = np.random.default_rng(7).exponential(1.0, 4000) + 0.01
    assert wider_p(1.0, skewed) > 0.1 > wider_p(1.0, np.random.default_rng(7).normal(1.0, 0.1, 4000))
    assert paired_p("composite", np.ones(9), np.zeros(9), skewed) < 0.01


@pytest.mark.parametrize("law", ["binary", "mean", "error"])
def test_below_looks_one_way(law: Law) -> None:
    """A side that is lower is found below the other, and not the other below it; neither is below itself."""
    old = np.arange(40.0) % 2 + 1
    new = np.where(np.arange(40) < 15, 0.0, old)
    assert below_p(law, new, old) < 0.001
    assert below_p(law, old, new) > 0.9
    assert below_p(law, old, old) == 1.0


def test_bootstrap_tails_count_what_stays_within() -> None:
    """P is the share of resamples that do not fall below the margin, or a bound of their tail, no less than coins."""
    replicates = np.array([-0.3] * 90 + [-0.05] * 8 + [np.nan] * 2)
    known = replicates[:98]
    assert bootstrap_below_p(replicates, 50) == pytest.approx(np.exp(-((known.mean() / known.std()) ** 2) / 2))
    assert bootstrap_below_p(np.array([-0.3, -0.1, -0.01] * 5), 50) == pytest.approx(1 / 16)
    assert bootstrap_below_p(replicates, 50, 0.1) == pytest.approx(9 / 99)
    assert bootstrap_below_p(replicates, 50, 0.3) == 1.0
    assert bootstrap_below_p(replicates, 2) == 0.25


CALLS = st.lists(st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)), min_size=4, max_size=20)


@given(CALLS)
def test_spreads_are_compared_by_sums_and_differences(calls: list[tuple[float, float]]) -> None:
    """Pitman's test is Pearson's r of sums and differences, the same both ways round."""
    new, old = (np.array(side) for side in zip(*calls, strict=True))
    if min(np.std(new), np.std(old), np.std(new + old), np.std(new - old)) < 1e-3:
        return
    found = spread_p(new, old, [""] * len(calls))
    assert found == pytest.approx(float(pearsonr(new + old, new - old).pvalue), rel=1e-4, abs=1e-9)
    assert found == pytest.approx(spread_p(old, new, [""] * len(calls)))


def test_a_steady_side_is_seen_and_few_calls_are_not() -> None:
    """Twenty calls that vary five times as much are seen; two calls, or one passage, or no variation prove nothing."""
    steady = np.random.default_rng(0).normal(1, 0.1, 20)
    restless = np.random.default_rng(1).normal(1, 0.5, 20)
    assert spread_p(steady, restless, [""] * 20) < 1e-3
    assert spread_p(steady[:2], restless[:2], [""] * 2) == 1.0
    assert spread_p(steady, restless, ["one"] * 20) == 1.0
    assert spread_p(steady, np.ones(20), [""] * 20) == 1.0


@given(CALLS)
def test_drift_adds_to_what_chance_does_to_a_spread(calls: list[tuple[float, float]]) -> None:
    """On a machine that hardly drifts p is Pitman's; the more it drifts, the larger p is."""
    new, old = (np.array(side) for side in zip(*calls, strict=True))
    if min(np.std(new), np.std(old), np.std(new + old), np.std(new - old)) < 1e-3:
        return
    alone = [""] * len(calls)
    steady = spread_p(new, old, alone)
    hardly, some, much = (spread_p(new, old, alone, Drift(sd**2, 1000)) for sd in (1e-9, 0.1, 1.0))
    assert hardly == pytest.approx(steady, abs=2e-3)
    assert steady <= some + 1e-9
    assert some <= much + 2e-3


def test_a_machine_that_drifts_stretches_a_spread() -> None:
    """Where the same work takes five times as long now and then, that one side varies five times as much is nothing."""
    steady = np.random.default_rng(0).normal(1, 0.1, 20)
    restless = np.random.default_rng(1).normal(1, 0.5, 20)
    assert spread_p(steady, restless, [""] * 20, Drift(1.0, 10)) > 0.1
    assert spread_p(steady, restless, [""] * 20, Drift(1e-4, 10)) < 1e-3
