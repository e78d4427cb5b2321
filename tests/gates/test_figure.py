"""Many figures judged together."""

import numpy as np
import pytest

from tests.gating import letters, side, spans
from tunescale_core.gates.figure import Figure, decided
from tunescale_core.gates.quality import pair_of, quality
from tunescale_core.study.margins import STRICT, Gate
from tunescale_core.tasks import TASKS

RNG = np.random.default_rng(0)
N = 210


def flipped(right: np.ndarray, share: float) -> list[bool]:
    """Answers of which a share turned, as many right as wrong."""
    turned = RNG.random(N) < share
    return list(np.where(turned, ~right, right))


def figure(task: str, metric: str, old: list[bool], new: list[bool], margin: str = "") -> Figure:
    made = {"arc": letters, "squad_v2": spans}[task]
    gate = Gate.model_validate({task: {metric: margin}} if margin else {})
    named = TASKS[task].metric(metric)
    assert named is not None
    found = quality("cell", named, side(made(old), task), side(made(new), task), gate)
    assert isinstance(found, Figure)
    return found


@pytest.fixture(scope="module")
def by_chance() -> list[Figure]:
    """Figures that differ by chance alone."""
    right = RNG.random(N) < 0.5
    return [figure("arc", "macro_f1", list(right), flipped(right, 0.1)) for _ in range(150)]


@pytest.mark.parametrize(
    ("task", "metric", "margin"),
    [("arc", "macro_f1", ""), ("arc", "accuracy", "-0.02"), ("squad_v2", "f1", ""), ("squad_v2", "f1", "-2")],
)
def test_a_collapse_is_seen_among_any_number_of_gates(
    task: str, metric: str, margin: str, by_chance: list[Figure]
) -> None:
    """Among 150 figures that all differ by chance one that fell to nothing is the only regression."""
    collapsed = figure(task, metric, list(RNG.random(N) < 0.5), [False] * N, margin)
    verdicts = decided([*by_chance, collapsed])
    assert [one.outcome == "regression" for one in verdicts] == [False] * 150 + [True]


def test_answers_that_are_the_same_correct_nothing() -> None:
    """Figures without a single changed answer are no tests, so the others' p is not corrected for them."""
    right = RNG.random(N) < 0.5
    worse = figure("arc", "accuracy", list(right), flipped(right, 0.1))
    same = [figure("arc", "accuracy", list(right), list(right)) for _ in range(50)]
    alone, among = decided([worse])[0], decided([*same, worse])[-1]
    assert (alone.p, alone.p_adjusted) == (among.p, among.p_adjusted)
    assert {one.outcome for one in decided(same)} == {"holds"}


def test_equal_values_that_sum_otherwise_hold() -> None:
    """The same F1s in another order, whose means differ by rounding alone, are no loss even where undecided fails."""
    rng = np.random.default_rng(0)
    metric, ones = TASKS["squad_v2"].primary, np.ones((1, 60))
    for _ in range(5):
        old = rng.choice([0, 100 / 3, 200 / 3, 600 / 7], 60)
        new = rng.permutation(old)
        means = [float(metric.combine(side, ones)[0]) for side in (old, new)]
        pair = pair_of(metric, old, new, ("",) * 60, means[1] - means[0])
        one = Figure("c", "f1", *means, "higher", "%", 2, STRICT, pair=pair)
        assert [verdict.outcome for verdict in decided([one], strict=True)] == ["holds"]
