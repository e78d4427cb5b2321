"""Splits: decided by content alone, in the declared shares."""

import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.embedded.splits import Split, drawn, split_of

SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def draw(rng: random.Random) -> int:
    return rng.randrange(10**6)


@pytest.mark.parametrize(("content", "split"), [("a", "train"), ("2", "dev"), ("d", "test")])
def test_splits_stay_where_they_were(content: str, split: Split) -> None:
    """Known contents keep their splits: the shipped weights were pretrained on this cut."""
    assert split_of(content) == split


def test_shares_are_eight_to_one_to_one() -> None:
    """Of many contents about a tenth is for test, a tenth for dev, and the rest for train."""
    counts = Counter(split_of(str(n)) for n in range(10_000))
    assert 900 < counts["test"] < 1100
    assert 900 < counts["dev"] < 1100
    assert sum(counts.values()) == counts["test"] + counts["dev"] + counts["train"]


@given(st.integers(0, 1000), st.sampled_from(SPLITS))
def test_only_examples_of_the_split_are_drawn(seed: int, split: Split) -> None:
    """Whatever the seed, all that is drawn for a split belongs to it."""
    assert {split_of(str(one)) for one in islice(drawn(draw, str, split, seed), 10)} == {split}


@pytest.mark.parametrize("split", SPLITS)
def test_the_order_is_fixed_by_split_and_seed(split: Split) -> None:
    """The same split and seed give the same examples in order, another seed gives others."""
    first, again, other = (list(islice(drawn(draw, str, split, seed), 20)) for seed in (3, 3, 4))
    assert first == again != other
