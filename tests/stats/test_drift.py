"""The drift of a machine: what it is estimated from, how it is drawn, and what it leaves of a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import t

from tunescale_core.stats.drift import MOST, Drift, Measured, pooled

LOGS = st.lists(st.floats(-3, 3), min_size=2, max_size=8)


def group(values: list[float], noise: float = 0.0) -> list[Measured]:
    return [Measured(value, noise) for value in values]


@given(st.lists(LOGS, min_size=1, max_size=5), st.lists(st.floats(-5, 5), min_size=5, max_size=5))
@example([[0.0] * 7], [0.0] * 5)
def test_a_level_of_each_group_is_no_drift(groups: list[list[float]], levels: list[float]) -> None:
    """Adding a constant to a group, which is another model or task, changes nothing; each group costs one degree."""
    moved = [[value + level for value in one] for one, level in zip(groups, levels, strict=False)]
    found, other = pooled(list(map(group, groups))), pooled(list(map(group, moved)))
    assert found is not None
    assert other is not None
    assert other.sd == pytest.approx(found.sd, rel=1e-6, abs=1e-6)
    assert other.df == found.df == sum(map(len, groups)) - len(groups)


def test_what_runs_share_counts_once() -> None:
    """Tasks over which the same runs are slow alike have the degrees of freedom of one; unrelated ones have their own.

    Checked against Satterthwaite's for variances that correlate by r: G · n / (1 + (G - 1) · r²).
    """
    rng = np.random.default_rng(0)

    def df(r: float, tasks: int = 3, runs: int = 400) -> float:
        lasting = rng.normal(0, math.sqrt(r), runs)
        groups = [
            [Measured(float(log), run=run) for run, log in enumerate(lasting + rng.normal(0, math.sqrt(1 - r), runs))]
            for _ in range(tasks)
        ]
        found = pooled(groups)
        assert found is not None
        return found.df / (runs - 1)

    assert df(1.0) == pytest.approx(1.0)
    assert df(0.4) == pytest.approx(3 / (1 + 2 * 0.4**2), rel=0.1)
    assert df(0.0) == pytest.approx(3.0, rel=0.05)


def test_one_run_that_all_groups_share_is_seen() -> None:
    """Five groups of two that have one run in common, and it alone is slow, are less than five differences."""
    rng = np.random.default_rng(0)
    found = [
        pooled([[Measured(slow, run="shared"), Measured(float(one), run=place)] for place, one in enumerate(others)])
        for slow, others in ((3.0, rng.normal(0, 0.1, 5)), (0.0, np.array([1, -1, 1, -1, 0.1])))
    ]
    lasting, passing = (one.df for one in found if one is not None)
    assert lasting < 3 < passing


@given(st.lists(LOGS, min_size=1, max_size=4))
def test_degrees_of_freedom_are_between_one_groups_and_all(groups: list[list[float]]) -> None:
    """However measurements go together, there are no more degrees of freedom than measurements, nor less than one."""
    found = pooled([[Measured(value, run=run) for run, value in enumerate(group)] for group in groups])
    assert found is not None
    assert 1 - 1e-9 <= found.df <= sum(map(len, groups)) - len(groups) + 1e-9


def test_one_group_is_its_standard_deviation() -> None:
    """From one group alone it is the standard deviation as always; groups of one say nothing."""
    values = [0.1, 0.3, 0.2, -0.4]
    expected = Drift(pytest.approx(float(np.var(values, ddof=1))), 3)
    assert pooled([group(values)]) == pooled([group(values), group([7.0]), []]) == expected


def test_noise_is_no_drift() -> None:
    """What single calls explain is taken off the variance; where they explain all of it, there is no drift."""
    values = [0.1, 0.3, 0.2, -0.4]
    variance = float(np.var(values, ddof=1))
    found = pooled([group(values, variance / 4)])
    assert found is not None
    assert found.sd == pytest.approx(math.sqrt(0.75 * variance))
    for steady in (pooled([group(values, 2 * variance)]), pooled([group([1.0, 1.0])])):
        assert steady is not None
        assert steady.sd == 0


@pytest.mark.parametrize("groups", [[], [[]], [[1.0], [2.0]]])
def test_nothing_to_see(groups: list[list[float]]) -> None:
    """No group of two is no estimate."""
    assert pooled(list(map(group, groups))) is None


def test_a_steady_machine_leaves_all_to_chance() -> None:
    """Without drift p is the share of what chance comes to, no factor is other than one, and nothing is hidden."""
    steady = Drift(0.0, 5)
    assert steady.beyond(1.0, np.array([-2.0, -1.0, 0.5, 3.0])) == 0.75
    assert (steady.factors(10, 0, 1) == 1).all()
    assert steady.hides(0.1) == 0.0


@pytest.mark.parametrize("df", [2, 3, 30])
def test_ratios_of_two_are_students(df: int) -> None:
    """The logarithm of the ratio of two factors has the quantiles of t times √2 standard deviations."""
    drift = Drift(0.01, df)
    ratios = np.log(drift.factors(40_000, 0, 1) / drift.factors(40_000, 0, 2))
    for share in (0.025, 0.25, 0.5, 0.75, 0.975):
        expected = math.sqrt(2) * 0.1 * float(t.ppf(share, df))
        assert np.quantile(ratios, share) == pytest.approx(expected, rel=0.08, abs=0.005)


def test_the_same_measurement_drifts_as_itself() -> None:
    """Drawn for the same twice, the factors are the same: a candidate does not differ from itself."""
    drift = Drift(0.04, 4)
    assert np.array_equal(drift.factors(100, 0, 7), drift.factors(100, 0, 7))


def test_factors_end_somewhere() -> None:
    """Two cells have tails without end; no factor leaves what a machine can be."""
    found = Drift(25.0, 1).factors(10_000, 0, 1)
    assert np.isfinite(found).all()
    assert math.exp(-MOST) * (1 - 1e-9) <= found.min() <= found.max() <= math.exp(MOST) * (1 + 1e-9)


def test_a_little_more_than_noise_may_be_much_more() -> None:
    """Where few measurements vary as much as noise explains, the machine may drift all the same, and is drawn so."""
    few, many = (Drift(1e-4, df, 1e-4).factors(4_000, 0, 1) for df in (4, 400))
    assert Drift(1e-4, 4, 1e-4).sd == 0
    assert np.std(np.log(few)) > 3 * np.std(np.log(many)) > 0


@given(st.floats(0.01, 1), st.integers(1, 40), st.floats(-3, 3))
def test_p_without_chance_is_students(sd: float, df: int, ratio: float) -> None:
    """Where the questions leave nothing to chance, p is that of t alone."""
    expected = 2 * float(t.sf(abs(ratio) / (math.sqrt(2) * sd), df))
    assert Drift(sd**2, df).beyond(ratio, np.zeros(10_000)) == pytest.approx(expected, rel=0.05, abs=1e-4)


@given(st.floats(0.01, 1), st.integers(1, 40), st.floats(0.1, 3))
def test_chance_is_added_to_drift(sd: float, df: int, ratio: float) -> None:
    """Symmetric chance only makes a ratio less strange."""
    chance = np.resize(np.array([-ratio, -ratio / 2, ratio / 2, ratio]), 4_000)
    drift = Drift(sd**2, df)
    quiet = drift.beyond(ratio, np.zeros(4_000))
    assert drift.beyond(ratio, chance) >= quiet - 1e-6


def test_what_drift_hides() -> None:
    """All of a small ratio, a small share of a large one, and everything of none."""
    drift = Drift(0.01, 20)
    assert drift.hides(0.0) == math.inf
    assert drift.hides(0.1) > 1 > drift.hides(1.0) == drift.hides(-1.0) > 0
    assert drift.hides(0.2) == pytest.approx(2 * drift.hides(0.4))
