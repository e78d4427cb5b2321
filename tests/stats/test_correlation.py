"""Correlations: exact where the points are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test, spearmanr

from tunescale_core.stats.correlation import correlation


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
