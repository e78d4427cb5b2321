"""Power: published sample sizes, and how they fall with the effect."""

from __future__ import annotations

import numpy as np
import pytest

from tunescale_core.stats.power import enough, enough_for_shares, for_one_of


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


def test_enough_is_silent_on_what_overflows() -> None:
    """A difference beside which the replicates overflow has no number of examples, rather than a crash."""
    assert enough(1.0, np.array([1e200, -1e200, 1e300]), 10) is None


def test_one_of_many_tests_needs_more() -> None:
    """At a level divided by ten the quantile is 2.81 and not 1.96, with 0.84 for power; of one test nothing changes."""
    assert for_one_of(500, 1) == for_one_of(500, 0.5) == 500
    assert for_one_of(500, 10) == pytest.approx(500 * ((2.807 + 0.8416) / (1.96 + 0.8416)) ** 2, rel=0.002)
