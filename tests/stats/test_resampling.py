"""Resamples: groups whole, the same for the same examples, and what a percentile is under them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import MetricError
from tunescale_core.stats.resampling import weighted_percentile, weights


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
