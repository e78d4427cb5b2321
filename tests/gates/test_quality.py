"""Quality gates: what is a regression, what holds, and what the examples cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gating import CELL, letters, side, spans, sums
from tunescale_core.gates.figure import SAME, Figure, decided
from tunescale_core.gates.quality import gated, quality
from tunescale_core.gates.verdict import Verdict
from tunescale_core.records.lines import Line
from tunescale_core.results.result import Result
from tunescale_core.stats.interval import Interval
from tunescale_core.study.margins import Gate
from tunescale_core.tasks import TASKS

BITS = st.sampled_from([1, 8, 40]).flatmap(
    lambda n: st.lists(st.tuples(st.booleans(), st.booleans()), min_size=n, max_size=n)
)
"""What the old side and the new one got right; few lengths, since resamples are drawn once for each."""
WORDS = ("regression", "undecided", "holds", "better")


def gate(**margins: str) -> Gate:
    return Gate.model_validate(margins)


def verdicts(old: Sequence[Line], new: Sequence[Line], task: str = "arc", **margins: str) -> dict[str, Verdict]:
    """Return every quality verdict of one case by its metric."""
    return on(side(old, task), side(new, task), gate(**margins))


def on(old: Result, new: Result, margins: Gate) -> dict[str, Verdict]:
    found = [quality(CELL, metric, old, new, margins) for metric in gated(CELL, old, margins)]
    judged = iter(decided([one for one in found if isinstance(one, Figure)]))
    return {one.metric: one for one in (next(judged) if isinstance(one, Figure) else one for one in found)}


def bits(n: int, share: float, seed: int = 0) -> list[bool]:
    return [bool(bit) for bit in np.random.default_rng(seed).random(n) < share]


def test_the_primary_and_the_judged_metric_are_gated_and_what_is_declared() -> None:
    """A case's gated metrics are its primary one, the one answers are judged by, and those with a margin."""
    arc, squad = side(letters([True])), side(spans([True]), "squad_v2")
    assert [one.name for one in gated(CELL, arc, Gate())] == ["macro_f1", "accuracy"]
    assert [one.name for one in gated(CELL, squad, Gate())] == ["f1"]
    assert [one.name for one in gated(CELL, squad, gate(avna="-1", parse_rate="-0.1"))] == ["f1", "avna"]


@pytest.mark.parametrize("task", ["arc", "squad_v2", "openmath"])
def test_the_same_answers_hold(task: str) -> None:
    """A side against itself holds in every metric, with a difference of zero for certain."""
    lines = {"arc": letters, "squad_v2": spans}.get(task, lambda right: sums(["5" if one else "9" for one in right]))
    found = verdicts(lines(bits(40, 0.5)), lines(bits(40, 0.5)), task)
    for one in found.values():
        assert (one.outcome, one.test, one.p, one.enough) == ("holds", SAME, 1.0, None)
        assert one.interval == Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize("margin", ["0", "-0.02"])
def test_a_uniformly_lower_side_is_a_regression(margin: str) -> None:
    """At two thousand questions an accuracy that falls by a tenth is a regression, and the way back is better."""
    old = bits(2000, 0.7)
    new = [right and place % 7 > 0 for place, right in enumerate(old)]
    down, up = (
        verdicts(letters(old), letters(new), **{"arc.accuracy": margin, "arc.macro_f1": margin}),
        verdicts(letters(new), letters(old)),
    )
    assert {one.outcome for one in down.values()} == {"regression"}
    assert {one.outcome for one in up.values()} == {"better"}
    assert down["accuracy"].old == pytest.approx(np.mean(old))
    assert down["accuracy"].n == 2000
    assert down["accuracy"].test.endswith("exact McNemar")


@pytest.mark.parametrize(
    ("task", "old", "new", "test"),
    [
        ("arc", letters([True] * 60), letters([False] * 20 + [True] * 40), "exact McNemar"),
        ("squad_v2", spans([True] * 60), spans([False] * 20 + [True] * 40), "sign flips"),
        ("squad_v2", spans([True] * 60, 30), spans([False] * 20 + [True] * 40, 30), "sign flips of groups"),
        ("openmath", sums(["5"] * 60), sums(["25"] * 20 + ["5"] * 40), "Wilcoxon on log1p"),
    ],
    ids=["right or wrong", "mean", "grouped mean", "error"],
)
def test_each_law_sees_a_third_lost(task: str, old: list[Line], new: list[Line], test: str) -> None:
    """Twenty questions lost of sixty and none gained is a regression by every law's own test, and not the way back."""
    name = {"arc": "accuracy", "squad_v2": "f1", "openmath": "abs_diff"}[task]
    found, back = verdicts(old, new, task)[name], verdicts(new, old, task)[name]
    assert (found.outcome, found.test) == ("regression", test)
    assert found.p is not None
    assert found.p < 0.002
    assert back.outcome == "better"
    assert back.p == 1.0


def test_a_few_lost_cannot_be_told_from_chance() -> None:
    """Two questions lost of forty are undecided, and the number that would have decided is told."""
    found = verdicts(letters([True] * 40), letters([False] * 2 + [True] * 38))["accuracy"]
    assert found.outcome == "undecided"
    assert found.p == pytest.approx(0.25)
    assert found.enough is not None
    assert found.enough > 40
    assert not found.failed


def test_shown_to_be_within_the_margin_holds() -> None:
    """A loss of a thousandth holds under a margin of two points once the interval lies within it."""
    old = [True] * 2000
    new = [False, False] + [True] * 1998
    assert verdicts(letters(old), letters(new), accuracy="-0.02")["accuracy"].outcome == "holds"
    assert verdicts(letters(old), letters(new))["accuracy"].outcome == "undecided"
    assert verdicts(letters(old[:50]), letters(new[:50]), accuracy="-0.05")["accuracy"].outcome == "undecided"


def test_a_margin_both_ways_takes_a_gain_for_a_regression() -> None:
    """Under ± a figure that gets better by more than the margin regresses too, and its p is the smaller one doubled."""
    old, new = [False] * 30 + [True] * 30, [True] * 60
    both, one = (verdicts(letters(old), letters(new), accuracy=text)["accuracy"] for text in ("±0.1", "-0.1"))
    assert (both.outcome, one.outcome) == ("regression", "better")
    assert both.p is not None
    assert both.p < 0.001
    down = verdicts(letters(new), letters(old), accuracy="±0.1")["accuracy"]
    alone = verdicts(letters(new), letters(old), accuracy="-0.1")["accuracy"]
    assert down.p == pytest.approx(2 * (alone.p or 0))


def test_a_relative_margin_is_a_share_of_the_baseline() -> None:
    """Of errors of 10 on average 50 % more may come: 12 holds within it and 30 does not."""
    old = sums(["15"] * 80)
    closer, farther = sums(["17"] * 80), sums(["35"] * 80)
    assert verdicts(old, closer, "openmath", abs_diff="+50%")["abs_diff"].outcome == "holds"
    assert verdicts(old, farther, "openmath", abs_diff="+50%")["abs_diff"].outcome == "regression"


def test_grouped_questions_say_less() -> None:
    """Where the questions of four passages fall together, no loss is beyond chance that single ones would prove."""
    old, new = [True] * 40, [False] * 20 + [True] * 20
    alone = verdicts(spans(old), spans(new), "squad_v2")["f1"]
    grouped = verdicts(spans(old, 4), spans(new, 4), "squad_v2")["f1"]
    assert (alone.outcome, grouped.outcome) == ("regression", "undecided")
    assert (grouped.p or 0) >= 2**-4


def test_questions_that_do_not_count_are_left_out() -> None:
    """A metric over answerable questions alone is judged by them."""
    answered = spans([True] * 30)
    lost = spans([False] * 15 + [True] * 15)
    silent = [
        one.model_copy(update={"gold": (), "scores": {**one.scores, "has_ans_exact": float("nan")}, "example": f"s{n}"})
        for n, one in enumerate(spans([True] * 30))
    ]
    found = verdicts([*answered, *silent], [*lost, *silent], "squad_v2", has_ans_exact="0")["has_ans_exact"]
    assert (found.outcome, found.old, found.new) == ("regression", 100.0, 50.0)
    assert found.interval is not None
    assert -70 < found.interval.low < -50 < found.interval.high < -25
    assert found.n == 30


@pytest.mark.parametrize(
    ("old", "new", "outcome", "note"),
    [
        (None, 0.5, "holds", "undefined in the baseline"),
        (0.5, None, "regression", "undefined in this run"),
        (None, None, "holds", "undefined on both sides"),
        (0.5, float("inf"), "regression", "undefined in this run"),
    ],
)
def test_undefined_figures(old: float | None, new: float | None, outcome: str, note: str) -> None:
    """A figure that becomes undefined is a regression; one that becomes defined, or never was, holds and says so."""
    sides = [side(letters([True] * 4), metrics={"accuracy": value, "macro_f1": 1.0}) for value in (old, new)]
    found = on(sides[0], sides[1], Gate())["accuracy"]
    assert (found.outcome, found.note) == (outcome, note)


@settings(max_examples=8)
@given(BITS, st.sampled_from(["0", "-0.05", "±0.05"]))
def test_swapped_sides_do_not_both_regress(pairs: list[tuple[bool, bool]], margin: str) -> None:
    """Of the two ways round at most one is a regression, but under ±; and a side never regresses from itself."""
    old, new = (letters(bits) for bits in zip(*pairs, strict=True))
    there, back = verdicts(old, new, accuracy=margin), verdicts(new, old, accuracy=margin)
    for name in there:
        if not (name == "accuracy" and margin.startswith("±")):
            assert "regression" not in {there[name].outcome} & {back[name].outcome}
    assert {one.outcome for one in verdicts(new, new, accuracy=margin).values()} == {"holds"}


@settings(max_examples=8)
@given(BITS)
def test_a_wider_margin_never_makes_it_worse(pairs: list[tuple[bool, bool]]) -> None:
    """As a margin grows p does not fall, and the outcome goes from regression by undecided to holds, never back."""
    old, new = (letters(bits) for bits in zip(*pairs, strict=True))
    found = [verdicts(old, new, macro_f1=f"-{m}", accuracy=f"-{m}") for m in ("0", "0.01", "0.1", "0.3")]
    for name in found[0]:
        ps = [one[name].p or 0 for one in found]
        places = [WORDS.index(one[name].outcome) for one in found]
        assert ps == sorted(ps)
        assert places == sorted(places) or set(places) == {2, 3}


@settings(max_examples=8)
@given(st.lists(BITS, min_size=2, max_size=4))
def test_holm_only_raises_p(cases: list[list[tuple[bool, bool]]]) -> None:
    """No p gets smaller by the correction, and none passes 1."""
    metric = TASKS["arc"].metric("accuracy")
    assert metric is not None
    figures = [
        quality(str(place), metric, *(side(letters(bits)) for bits in zip(*pairs, strict=True)), Gate())
        for place, pairs in enumerate(cases)
    ]
    for one in decided([figure for figure in figures if isinstance(figure, Figure)]):
        assert one.p is not None
        assert one.p_adjusted is not None
        assert one.p - 1e-12 <= one.p_adjusted <= 1


def test_many_gates_ask_for_more() -> None:
    """What is a regression alone may be undecided among fifty gates, with more examples needed."""
    metric = TASKS["arc"].metric("accuracy")
    assert metric is not None
    one = quality("a", metric, side(letters([True] * 40)), side(letters([False] * 7 + [True] * 33)), Gate())
    still = quality("b", metric, side(letters([True, False] * 20)), side(letters([False, True] * 20)), Gate())
    assert isinstance(one, Figure)
    assert isinstance(still, Figure)
    assert decided([one])[0].outcome == "regression"
    among = decided([one, *[still] * 49])[0]
    assert among.outcome == "undecided"
    assert among.p_adjusted == pytest.approx(50 * (among.p or 0))
    assert among.enough is not None
    assert among.enough > 40


def test_undecided_fails_where_the_study_says_so() -> None:
    """A strict gate fails what cannot be told from chance."""
    metric = TASKS["arc"].metric("accuracy")
    assert metric is not None
    one = quality("a", metric, side(letters([True] * 40)), side(letters([False] + [True] * 39)), Gate())
    assert isinstance(one, Figure)
    assert decided([one], strict=True)[0].failed
    assert not decided([one])[0].failed
