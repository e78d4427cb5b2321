"""Claims about paired intervals."""

from __future__ import annotations

import pytest

from tunescale_core.errors import MetricError
from tunescale_core.stats import paired_difference
from tunescale_core.tasks import TASKS, Answer, Metric

ACCURACY = TASKS["arc"].metrics[1]


def _answers(right: int, n: int) -> list[Answer]:
    return [Answer(("A",), "A" if place < right else "B") for place in range(n)]


def test_a_large_gain_excludes_zero() -> None:
    """Forty points more right on 100 shared examples is no accident, and the value is their difference."""
    found = paired_difference(ACCURACY, _answers(80, 100), _answers(40, 100))
    assert found.value == pytest.approx(0.4)
    assert found.low > 0
    assert found.low <= found.value <= found.high


def test_two_small_mirrored_errors_do_not() -> None:
    """Where each side is right on another example of ten, the interval holds zero."""
    new = [Answer(("A",), "B"), *_answers(9, 9)]
    old = [*_answers(9, 9), Answer(("A",), "B")]
    assert not paired_difference(ACCURACY, new, old).excludes_zero


def test_the_same_seed_gives_the_same_interval() -> None:
    """Resampling is a function of the seed."""
    sides = _answers(30, 60), _answers(25, 60)
    assert paired_difference(ACCURACY, *sides, seed=3) == paired_difference(ACCURACY, *sides, seed=3)


@pytest.mark.parametrize(("new", "old"), [(3, 4), (0, 0)])
def test_unpaired_or_empty_sides_are_refused(new: int, old: int) -> None:
    """A paired difference of unlike or empty sides is an error."""
    with pytest.raises(MetricError, match="same examples"):
        paired_difference(ACCURACY, _answers(0, new), _answers(0, old))


def test_an_undefined_metric_is_refused() -> None:
    """NoAns accuracy over answerable questions alone has no difference."""
    metric = TASKS["squad_v2"].metric("no_ans_accuracy")
    assert metric is not None
    side = [Answer(("x",), "x"), Answer(("y",), "y")]
    with pytest.raises(MetricError, match="undefined"):
        paired_difference(metric, side, side)


def test_a_mean_and_the_same_figure_computed_agree() -> None:
    """The interval of a mean is that of the figure computed again in every resample."""
    computed = Metric("share", "share", "", "higher", compute=ACCURACY)
    sides = _answers(30, 60), _answers(21, 60)
    found, again = (paired_difference(metric, *sides) for metric in (ACCURACY, computed))
    assert (found.value, found.low, found.high) == pytest.approx((again.value, again.low, again.high))
