"""Pairs: worse than a margin allows, by each metric's own test, and no surer than chance lets it be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.arrays import Figures
from tunescale_core.results.pair import Pair
from tunescale_core.stats.interval import newcombe
from tunescale_core.stats.resampling import replicated, weights
from tunescale_core.tasks import TASKS, Metric


def metric(task: str, name: str) -> Metric:
    found = TASKS[task].metric(name)
    assert found is not None
    return found


ACCURACY, F1, DISTANCE = metric("arc", "accuracy"), metric("squad_v2", "f1"), metric("openmath", "abs_diff")


def pair(of: Metric, new: Figures, old: Figures, groups: int = 0) -> Pair:
    """Return a pair whose examples are in as many groups, or alone."""
    group = tuple(f"g{place % groups}" if groups else "" for place in range(len(new)))
    ones = np.ones((1, len(new)))

    def resampled() -> Figures:
        drawn = weights(group, 2000)
        return replicated(lambda block: of.combine(new, block) - of.combine(old, block), drawn)

    return Pair(of, float(of.combine(new, ones)[0] - of.combine(old, ones)[0]), new, old, group, resampled)


@pytest.mark.parametrize("of", [ACCURACY, F1, DISTANCE], ids=lambda one: one.name)
@pytest.mark.parametrize("groups", [0, 20])
def test_a_clear_loss_is_worse_and_a_gain_is_not(of: Metric, groups: int) -> None:
    """Where a third of the examples get worse the one-sided p is small, and it is 1 the other way."""
    good, bad = (1.0, 0.0) if of.better == "higher" else (0.0, 9.0)
    old = np.full(60, good)
    new = np.where(np.arange(60) % 3 == 0, bad, good)
    assert pair(of, new, old, groups).worse_p(of.better) < 0.001
    assert pair(of, old, new, groups).worse_p(of.better) == 1.0


def test_falsely_worse_no_more_often_than_declared() -> None:
    """Of pairs that differ by chance alone, no more than about a twentieth are worse at 5 %, by each test."""
    rng = np.random.default_rng(1)
    for of, draw in (
        (ACCURACY, lambda: rng.integers(0, 2, 80).astype(float)),
        (F1, lambda: 100 * rng.random(80)),
        (DISTANCE, lambda: rng.exponential(5.0, 80)),
    ):
        ps = [pair(of, draw(), draw()).worse_p(of.better) for _ in range(200)]
        assert np.mean(np.array(ps) < 0.05) <= 0.09


def test_falsely_beyond_the_margin_no_more_often_than_declared() -> None:
    """Where the true loss is just the margin, no more than about a twentieth are found beyond it."""
    rng = np.random.default_rng(2)
    ps = []
    for _ in range(150):
        old = rng.integers(0, 2, 200).astype(float)
        new = np.where(rng.random(200) < 0.2, 0.0, old)  # half of the fifth was right: a tenth is lost
        ps.append(pair(ACCURACY, new, old).worse_p("higher", 0.1))
    assert np.mean(np.array(ps) < 0.05) <= 0.1


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=20, max_size=20))
def test_p_rises_with_the_margin(bits: list[tuple[bool, bool]]) -> None:
    """A wider margin is never easier to fall short of."""
    new, old = np.array(bits, dtype=float).T
    found = pair(ACCURACY, new, old)
    ps = [found.worse_p("higher", margin) for margin in (0.0, 0.01, 0.1, 0.5, 1.0)]
    assert ps == sorted(ps)
    assert ps[-1] == 1.0


def test_a_difference_that_touches_the_margin_is_within_it() -> None:
    """A loss of a tenth in decimals is not beyond a margin of a tenth, whatever it is in binary."""
    old = np.ones(1000)
    new = np.where(np.arange(1000) < 100, 0.0, 1.0)
    assert pair(ACCURACY, new, old).worse_p("higher", 0.1) == 1.0
    assert pair(ACCURACY, new, old).worse_p("higher", 0.05) < 0.01


@pytest.mark.parametrize("lost", [4, 6, 8])
@pytest.mark.parametrize("of", [ACCURACY, F1, metric("arc", "macro_f1")], ids=lambda one: one.name)
@pytest.mark.parametrize("groups", [0, 100])
def test_few_lost_answers_prove_no_more_than_their_coins(of: Metric, lost: int, groups: int) -> None:
    """Whatever the figure and the number of questions, k answers that are all lost have one chance in 2^k."""
    old = np.array([6.0, 0.0] * 100) if of.name == "macro_f1" else np.full(200, 1.0)
    new = np.where(np.arange(200) < lost, 1.0 if of.name == "macro_f1" else 0.0, old)
    found = pair(of, new, old, groups)
    assert found.worse_p("higher") >= 0.95 * 2.0**-lost
    assert found.p >= 0.95 * min(1.0, 2.0 ** (1 - lost))


def test_a_grouped_median_is_left_to_the_bootstrap() -> None:
    """Sums of errors say nothing of a median: one that falls beside an outlier that grows is seen to fall."""
    rng = np.random.default_rng(8)
    old = rng.exponential(80.0, 200)
    new = old / 2
    new[0] = 4.57e6
    found = pair(metric("openmath", "median_diff"), new, old, 40)
    assert found.p < 0.01
    assert found.interval.high < 0


@pytest.mark.parametrize("groups", [6, 10, 20])
def test_few_passages_are_not_called_too_often(groups: int) -> None:
    """Of sides that are equally good passage by passage, about one in twenty is called different, however few."""
    rng, called = np.random.default_rng(3), 0
    for _ in range(200):
        new, old = (100.0 * (rng.random(groups * 5) < np.tile(rng.random(groups), 5)) for _ in range(2))
        found = pair(F1, new, old, groups)
        called += found.p < 0.05 and found.interval.excludes_zero
    assert called <= 18


@pytest.mark.parametrize("n", [1, 2, 4])
def test_few_groups_prove_nothing(n: int) -> None:
    """As many groups that all lose everything give no smaller p than as many coins."""
    assert pair(F1, np.zeros(20), np.full(20, 100.0), n).worse_p("higher") >= 2.0**-n


def test_what_does_not_count_takes_no_part() -> None:
    """Examples that do not count change neither interval nor p nor n."""
    old, new = np.array([1.0, 1, 0, 1] * 10), np.array([1.0, 0, 0, 0] * 10)
    void = np.full(20, np.nan)
    bare, padded = pair(ACCURACY, new, old), pair(ACCURACY, np.append(new, void), np.append(old, void))
    assert padded.worse_p("higher") == bare.worse_p("higher")
    assert padded.interval == bare.interval
    assert (padded.n, bare.n, padded.same) == (40, 40, False)


def test_percent_and_fraction_say_the_same() -> None:
    """A share in percent has a hundred times the interval, and the same p."""
    old, new = np.array([1.0] * 30), np.array([0.0] * 9 + [1.0] * 21)
    share, percent = pair(ACCURACY, new, old), pair(metric("squad_v2", "exact"), 100 * new, 100 * old)
    assert percent.interval.low == pytest.approx(100 * share.interval.low)
    assert percent.worse_p("higher") == share.worse_p("higher")
    assert share.interval.low == newcombe(new > 0, old > 0).low


def test_more_are_needed_at_a_stricter_level() -> None:
    """The more gates share the risk, the more examples it takes; no excess can be told by any number."""
    old, new = np.array([1.0] * 50), np.array([0.0] * 3 + [1.0] * 47)
    found = pair(ACCURACY, new, old)
    for excess in (None, 0.03):
        loose, strict = found.enough(excess, 0.05), found.enough(excess, 0.0005)
        assert loose is not None
        assert strict is not None
        assert strict > loose > 10
    assert found.enough(0.0) is None


def test_equal_infinities_differ_by_nothing() -> None:
    """An answer beyond all numbers on both sides is no loss."""
    endless = np.array([1.0, np.inf] * 10)
    worse = np.where(np.arange(20) == 0, 9.0, endless)
    assert Pair(DISTANCE, 0.0, endless, endless, ("",) * 20, lambda: np.zeros(9)).same
    assert 0.1 < Pair(DISTANCE, 0.4, worse, endless, ("",) * 20, lambda: np.zeros(9)).worse_p("lower") < 1


def test_groups_need_as_many_as_their_own_interval_says() -> None:
    """Right or wrong by passages of ten, the n that would tell is the bootstrap's and not that of single questions."""
    rng = np.random.default_rng(0)
    old = np.repeat(rng.random(40) < 0.6, 10).astype(float)
    new = np.repeat(rng.random(40) < 0.5, 10).astype(float)
    found = Pair(
        ACCURACY, float(new.mean() - old.mean()), new, old, tuple(map(str, np.repeat(range(40), 10))), lambda: drawn
    )
    drawn = weights(found.group, 2000) @ (new - old) / 400
    alone = pair(ACCURACY, new, old).enough()
    assert alone is not None
    assert (found.enough() or 0) > 4 * alone


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("groups", [0, 3])
def test_no_exception_among_few_is_no_certainty(groups: int, sign: int) -> None:
    """Where every answer is right on one side and wrong on the other, the interval has the width that so few leave."""
    right, wrong = np.full(6, 100.0), np.zeros(6)
    found = pair(F1, *((right, wrong) if sign > 0 else (wrong, right)), groups).interval
    reach = 100 * 0.025 ** (1 / (groups or 6))
    expected = (reach, 100.0) if sign > 0 else (-100.0, -reach)
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.value == sign * 100


def test_no_difference_at_all_has_no_width() -> None:
    """Two sides that answer alike differ by nothing."""
    same = np.array([100.0, 0.0, 50.0])
    found = pair(F1, same, same).interval
    assert (found.low, found.high) == (0, 0)
