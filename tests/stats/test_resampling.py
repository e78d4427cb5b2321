"""Resamples: groups whole, the same for the same examples, and what a percentile is under them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunescale_core.errors import MetricError
from tunescale_core.stats.resampling import (
    counts,
    over_seeds,
    percentiles,
    replicated,
    weighted_percentile,
    weights,
    widened,
)


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


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), min_size=1, max_size=20), st.integers(1, 99))
def test_the_weighted_percentile_is_that_of_the_repeated_values(pairs: list[tuple[int, int]], rank: int) -> None:
    """A value that counts k times is one that stands there k times."""
    values, counts = np.array(pairs, dtype=float).T
    if counts.sum():
        expected = np.percentile(np.repeat(values, counts.astype(int)), rank, method="inverted_cdf")
        assert weighted_percentile(values, counts[None, :], rank)[0] == expected


@given(st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=20), st.integers(1, 1200))
@settings(max_examples=30)
def test_counts_are_resamples_too(groups: list[str], resamples: int) -> None:
    """In bytes as in floats whole groups are drawn, as many as there are, and alike for the same examples."""
    drawn = counts(groups, resamples)
    firsts = [groups.index(name) if name else place for place, name in enumerate(groups)]
    assert drawn.shape == (resamples, len(groups))
    assert (drawn == drawn[:, firsts]).all()
    assert (drawn[:, sorted(set(firsts))].sum(axis=1) == len(set(firsts))).all()
    assert (drawn == counts(groups, resamples)).all()


def test_replicates_come_in_blocks() -> None:
    """A figure computed block by block is the figure of all resamples, and varies as theory has it."""
    sample = np.arange(50.0)
    drawn = counts([""] * 50, 3210)
    found = replicated(lambda block: block @ sample / 50, drawn)
    np.testing.assert_allclose(found, drawn @ sample / 50)
    assert found.std() == pytest.approx(sample.std() / 50**0.5, rel=0.05)


@pytest.mark.parametrize(("k", "seed_sd"), [(2, 0.05), (3, 0.0), (3, 0.05)])
def test_few_seeds_are_called_different_no_more_often_than_declared(k: int, seed_sd: float) -> None:
    """Where two methods differ by their seeds alone, at most about one 95 % interval in twenty leaves zero out."""
    rng = np.random.default_rng(k)
    drawn = weights([""] * 300, 1000) / 300
    false = 0
    for _ in range(200):
        hard = rng.random(300)
        sides = []
        for _side in range(2):
            worth = np.clip(0.65 + rng.normal(0, seed_sd, k), 0, 1)
            met = np.where(rng.random((k, 300)) < 0.7, hard, rng.random((k, 300)))
            sides.append(over_seeds(drawn @ (met < worth[:, None]).T, rng))
        low, high = np.quantile(sides[0] - sides[1], [0.025, 0.975])
        false += low > 0 or high < 0
    assert false <= 17  # 10 are declared; 17 come by chance once in a hundred


def test_seeds_that_agree_leave_nothing_open() -> None:
    """Seeds that answer alike, question by question, are one: their replicates are its own."""
    one = weights([""] * 50, 500) @ np.arange(50) / 50
    found = over_seeds(np.stack([one, one, one], axis=1), np.random.default_rng(0))
    np.testing.assert_allclose(found, one)


@pytest.mark.parametrize(("rank", "n"), [(50, 9), (95, 59), (95, 200), (99, 299)])
def test_a_percentile_lies_above_its_bound_no_more_often_than_declared(rank: float, n: int) -> None:
    """What 95 % of the draws lie below is below the true percentile in one sample of twenty, or fewer."""
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(400):
        drawn = percentiles(rng.random(n), rank, 400)
        missed += float(np.quantile(drawn, 0.95, method="higher")) < rank / 100
    assert missed <= 0.05 * 400 + 3 * (400 * 0.05 * 0.95) ** 0.5


def test_a_percentile_of_groups_is_no_surer_than_of_as_many_values() -> None:
    """Twelve passages of five questions that take as long are twelve values, of which none shows a p95."""
    values = np.repeat(np.arange(12.0), 5)
    grouped, alone = percentiles(values, 95, 2000, 1, 12), percentiles(np.arange(12.0), 95, 2000, 1)
    assert (grouped == alone).all()
    assert np.isinf(grouped).mean() == pytest.approx(0.95**12, abs=0.001)


def test_what_may_lie_beyond_the_largest_has_no_end() -> None:
    """Of 59 measurements one in twenty-one has all below the 95th percentile: so many draws are infinite."""
    drawn = percentiles(np.arange(59.0), 95, 2000)
    assert np.isinf(drawn).mean() == pytest.approx(0.95**59, abs=0.001)
    assert set(drawn[np.isfinite(drawn)]) <= set(np.arange(59.0))


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_means_of_few_are_as_far_from_the_truth_as_students_t(n: int) -> None:
    """The bound of a mean of few is below the truth in one sample of twenty, where resamples alone miss it oftener."""
    rng, trials = np.random.default_rng(5), 600
    missed, bare = 0, 0
    for _ in range(trials):
        values = rng.normal(1.0, 0.2, n)
        means = weights([""] * n, 500, int(rng.integers(1 << 30))) @ values / n
        bare += float(np.quantile(means, 0.95)) < 1.0
        missed += float(np.quantile(widened(means, n, 1), 0.95)) < 1.0
    assert missed <= 0.075 * trials
    assert bare > missed


def test_an_unbounded_seed_leaves_the_mean_unbounded() -> None:
    """Where one seed's percentile may lie beyond all, so may the mean; the other resamples are as they would be."""
    each = np.random.default_rng(0).normal(1.0, 0.1, (50, 3))
    each[:5, 1] = np.inf
    found = over_seeds(each, np.random.default_rng(1))
    assert np.isinf(found[:5]).all()
    assert np.isfinite(found[5:]).all()
    assert np.isinf(over_seeds(np.full((4, 2), np.inf), np.random.default_rng(1))).all()
