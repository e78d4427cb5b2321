"""Comparisons: what an interval must hold, and what widens it; pairs that are none; shared resamples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import line, took
from tests.making import record as made
from tunescale_core.records.lines import Line
from tunescale_core.records.record import Record
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.comparison import Comparison, Comparisons
from tunescale_core.results.published import reference
from tunescale_core.results.resampler import Resampler
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.stats.interval import Interval
from tunescale_core.tasks import TASKS, Answer, Metric

BASE = Candidate("m", "base")
FULL = Candidate("m", "full", "arc")
LORA = Candidate("m", "lora-r4", "arc", 4)
ACCURACY = TASKS["arc"].metric("accuracy")
EXACT = TASKS["squad_v2"].metric("exact")
GOLDS = "ABCD" * 20


def results(*records: Record) -> Results:
    return Results(tuple(map(from_record, records)))


def letters(right: Sequence[bool], places: Sequence[int] | None = None, **fields: object) -> list[Line]:
    """Return a line for each of as many questions, the right letter said or the next one."""
    return [
        line(Answer((gold,), gold if good else "BCDA"["ABCD".index(gold)]), place=place, **fields)
        for place, good, gold in zip(places or range(len(right)), right, GOLDS, strict=False)
    ]


def spans(right: Sequence[bool], groups: int = 0) -> list[Line]:
    """Return a line for each of as many questions on passages: as many passages as given, or one a question."""
    return [
        line(
            Answer(("mill",), "mill" if good else "dam"),
            "squad_v2",
            place,
            group=f"passage {place * groups // len(right)}" if groups else "",
        )
        for place, good in enumerate(right)
    ]


def seconds(values: Sequence[float | None]) -> list[Line]:
    """Return a line for each value, answered right."""
    return [
        replaced(line(Answer((GOLDS[place],), GOLDS[place]), place=place), value) for place, value in enumerate(values)
    ]


def replaced(one: Line, value: float | None) -> Line:
    return one.model_copy(update={"seconds": None, "first_token_seconds": None} if value is None else took(value))


def bits(n: int, share: float, seed: int = 0) -> list[bool]:
    return [bool(bit) for bit in np.random.default_rng(seed).random(n) < share]


def width(found: Comparison | None) -> float:
    assert found is not None
    assert found.interval is not None
    return found.interval.high - found.interval.low


def versus(new: list[Line], old: list[Line], task: str = "arc") -> Comparisons:
    """Return full tuning on ARC against its base."""
    return Comparisons(results(made("full", "arc", task, new, seed=0), made(task=task, lines=old)))


@pytest.mark.parametrize("metric", [None, ACCURACY])
def test_a_clear_gain_excludes_zero(metric: Metric | None) -> None:
    """Forty questions more of eighty are no accident, neither in macro-F1 nor in accuracy."""
    found = versus(letters([True] * 80), letters([True, False] * 40)).quality(FULL, BASE, "arc", metric)
    assert found is not None
    assert found.interval is not None
    assert found.interval.excludes_zero
    assert found.interval.low <= found.difference <= found.interval.high
    assert found.difference == pytest.approx(found.interval.value)
    assert found.difference > 0
    assert found.p is not None
    assert found.p < 0.01
    assert found.n == 80
    assert found.enough is not None
    assert found.enough < 80


def test_a_gain_of_spans_excludes_zero() -> None:
    """In SQuAD's percent the exact match of every question against every other one's is 50 points."""
    comparisons = versus(spans([True] * 40), spans([True, False] * 20), "squad_v2")
    for metric in (None, EXACT):
        found = comparisons.quality(FULL, BASE, "squad_v2", metric)
        assert found is not None
        assert (found.new, found.old, found.difference) == (100.0, 50.0, 50.0)
        assert found.interval is not None
        assert 20 < found.interval.low < 50 < found.interval.high < 80


def test_a_shorter_distance_is_a_negative_difference() -> None:
    """The difference is new minus old whatever the direction: fewer wrong sums have an interval below zero."""
    answers = [("5", "5"), ("5", "25")]
    new, old = ([line(Answer((gold,), said), "openmath", place) for place in range(40)] for gold, said in answers)
    new[0] = line(Answer(("5",), "24"), "openmath", 0)
    found = versus(new, old, "openmath").quality(FULL, BASE, "openmath")
    assert found is not None
    assert found.interval is not None
    assert found.interval.high < 0
    assert found.p is not None
    assert found.p < 0.01


@pytest.mark.parametrize("metric", [None, ACCURACY])
def test_as_many_gains_as_losses_hold_zero(metric: Metric | None) -> None:
    """Where as many questions are lost as are gained, zero is in the interval and p is not small."""
    right = bits(80, 0.5)
    comparisons = versus(letters(right), letters(right[40:] + right[:40]))
    found = comparisons.quality(FULL, BASE, "arc", metric)
    assert found is not None
    assert found.interval is not None
    assert not found.interval.excludes_zero
    assert found.p is not None
    assert found.p > 0.05


def test_nothing_differs_from_itself() -> None:
    """A candidate against itself differs by nothing, for certain, and no number of examples shows more."""
    comparisons = versus(letters(bits(40, 0.5)), letters(bits(40, 0.5)))
    for found in (comparisons.quality(FULL, FULL, "arc"), comparisons.latency(FULL, FULL, "arc")):
        assert found is not None
        assert found.interval == Interval(0.0, 0.0, 0.0)
        assert (found.difference, found.p, found.enough) == (0.0, 1.0, None)


@pytest.mark.parametrize("figure", ["quality", "latency"])
def test_turned_round(figure: str) -> None:
    """With the sides changed, difference and interval change their signs, and p and n do not change."""
    slow = [one.model_copy(update={"seconds": 1 + place / 9}) for place, one in enumerate(letters(bits(60, 0.4)))]
    compare = getattr(versus(letters(bits(60, 0.6, 1)), slow), figure)
    there, back = compare(FULL, BASE, "arc"), compare(BASE, FULL, "arc")
    assert there.difference == pytest.approx(-back.difference)
    assert (there.interval.low, there.interval.high) == pytest.approx(
        (-back.interval.high, -back.interval.low), rel=0.05
    )
    assert (there.p, there.n, there.enough) == (pytest.approx(back.p), back.n, back.enough)


@pytest.mark.parametrize(
    "old",
    [
        letters([True] * 20, places=list(range(1, 21))),
        letters([True] * 20, places=list(reversed(range(20)))),
        letters([True] * 19),
    ],
    ids=["other questions", "another order", "fewer"],
)
def test_unpaired_examples_have_no_interval(old: list[Line]) -> None:
    """Where the two did not answer the same examples, timed alike, there are point values, and they say nothing."""
    comparisons = versus(letters([False] * 20), old)
    quality, latency = comparisons.quality(FULL, BASE, "arc"), comparisons.latency(FULL, BASE, "arc")
    assert quality is not None
    assert quality == Comparison(0.0, quality.old, unlike=True)
    assert quality.old == pytest.approx(1.0)
    assert latency == Comparison(0.5, 0.5, unlike=True)


def test_other_timed_questions_leave_quality_paired() -> None:
    """Where the same questions were answered but not the same ones timed, quality is paired and latency is not."""
    old = letters([True] * 19) + letters([True], [19], seconds=None, first_token_seconds=None)
    comparisons = versus(letters([False] * 20), old)
    quality, latency = comparisons.quality(FULL, BASE, "arc"), comparisons.latency(FULL, BASE, "arc")
    assert quality is not None
    assert quality.interval is not None
    assert latency == Comparison(0.5, 0.5, unlike=True)


def test_one_example_proves_nothing() -> None:
    """With one or three examples no bootstrap p is small, however sure its interval looks."""
    for n in (1, 3):
        found = versus(letters([True] * n), letters([False] * n)).quality(FULL, BASE, "arc")
        assert found is not None
        assert found.p is not None
        assert found.p >= 0.25


def test_what_was_not_measured_is_not_compared() -> None:
    """Where one side has no figure there is no comparison."""
    failed = made(key=None, error="ModelError: gone")
    comparisons = Comparisons(results(made("full", "arc", lines=letters([True] * 4)), failed))
    untimed = versus(letters([True] * 4), letters([True] * 4, seconds=None, first_token_seconds=None))
    for compared in (comparisons.quality, comparisons.latency, untimed.latency):
        assert compared(FULL, BASE, "arc") is None
        assert compared(BASE, FULL, "arc") is None
        assert compared(FULL, LORA, "arc") is None


def test_published_figures_have_no_interval() -> None:
    """A table's figures are compared as points: the paper's full tuning on OpenMath against its base."""
    small = Candidate("Qwen3-0.6B", "full", "openmath")
    comparisons = Comparisons(reference("paper"))
    assert comparisons.quality(small, small.base, "openmath") == Comparison(16540.0, 24834.0)
    assert comparisons.latency(small, small.base, "openmath") == Comparison(0.0482, 6.0139)


def test_published_against_measured_has_no_interval() -> None:
    """Where one side alone has examples, the point values are all there is."""
    table = replace(from_record(made(metrics={"macro_f1": 0.5})), record=None, latency=2.0)
    measured = from_record(made("full", "arc", lines=letters([True] * 20)))
    comparisons = Comparisons(Results((table, measured)))
    assert comparisons.quality(FULL, BASE, "arc") == Comparison(pytest.approx(1.0), 0.5)
    assert comparisons.latency(FULL, BASE, "arc") == Comparison(0.5, 2.0)


def seeded(*rights: list[bool]) -> Comparisons:
    """Return full tuning with a seed for each, against a base that gets every other question right."""
    tuned = [made("full", "arc", lines=letters(right), seed=seed) for seed, right in enumerate(rights)]
    return Comparisons(results(*tuned, made(lines=letters([True, False] * 30))))


@pytest.mark.parametrize("metric", [None, ACCURACY])
def test_seeds_are_resampled_above_examples(metric: Metric | None) -> None:
    """Two very different seeds say less than one: the interval is wider, and at least as wide as they are apart."""
    good, bad = [True] * 57 + [False] * 3, [False] * 57 + [True] * 3
    one = seeded(good).quality(FULL, BASE, "arc", metric)
    alike = seeded(good, good).quality(FULL, BASE, "arc", metric)
    apart = seeded(good, bad).quality(FULL, BASE, "arc", metric)
    assert width(apart) > 2 * width(one)
    assert width(apart) >= 0.85
    assert width(alike) == pytest.approx(width(one), rel=0.2)
    assert apart is not None
    assert apart.new == pytest.approx(0.5, abs=0.05)
    assert apart.p is not None
    assert apart.p > 0.05


def test_seeds_widen_latencies_too() -> None:
    """A seed that is ten times as slow as the other leaves the mean latency open."""

    def compared(*paces: float) -> Comparison | None:
        tuned = [
            made("full", "arc", lines=seconds([pace + place / 1000 for place in range(20)]), seed=seed)
            for seed, pace in enumerate(paces)
        ]
        return Comparisons(results(*tuned, made(lines=seconds([5.0] * 20)))).latency(FULL, BASE, "arc")

    assert width(compared(1.0, 10.0)) > 8
    assert width(compared(1.0)) < 1


@pytest.mark.parametrize("metric", [None, EXACT])
def test_questions_on_one_passage_widen_the_interval(metric: Metric | None) -> None:
    """Where the questions of a passage stand or fall together, eight passages say less than forty questions."""
    new = [bool(passage % 4) for passage in range(8) for _ in range(5)]

    def compared(groups: int) -> Comparison | None:
        comparisons = versus(spans(new, groups), spans([False] * 40, groups), "squad_v2")
        return comparisons.quality(FULL, BASE, "squad_v2", metric)

    alone, grouped = compared(0), compared(8)
    assert alone is not None
    assert grouped is not None
    assert alone.difference == grouped.difference == 75.0
    assert width(grouped) > 1.5 * width(alone)
    assert (alone.n, grouped.n) == (40, 40)


def test_passages_of_one_question_widen_nothing() -> None:
    """A passage with a single question is as good as none: the interval is the same."""
    new, old = bits(40, 0.8), bits(40, 0.5, 1)
    alone, single = (versus(spans(new, groups), spans(old, groups), "squad_v2") for groups in (0, 40))
    assert alone.quality(FULL, BASE, "squad_v2") == single.quality(FULL, BASE, "squad_v2")


def test_latencies() -> None:
    """Latency is compared over the timed calls alone, and calls that are all slower have an interval above zero."""
    rng = np.random.default_rng(0)
    old: list[float | None] = [*rng.gamma(2.0, 0.1, 30), *[None] * 10]
    new = [value and value + 0.3 for value in old]
    found = versus(seconds(new), seconds(old)).latency(FULL, BASE, "arc")
    assert found is not None
    assert found.difference == pytest.approx(0.3)
    assert found.interval is not None
    assert 0 < found.interval.low <= 0.3 + 1e-6
    assert found.interval.high == pytest.approx(0.3, abs=0.01)
    assert found.n == 30
    assert found.p is not None
    assert found.p < 0.01


def test_noisy_latencies_hold_zero() -> None:
    """As many calls slower as faster, by as much, are no difference."""
    old = [1.0, 2.0] * 20
    found = versus(seconds([3.0 - value for value in old]), seconds(old)).latency(FULL, BASE, "arc")
    assert found is not None
    assert found.interval is not None
    assert found.interval.low < 0 < found.interval.high
    assert found.p is not None
    assert found.p > 0.5


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6).filter(bool))
def test_relative_differences(new: float, old: float) -> None:
    """The relative difference is a share of the old figure's size, and has the difference's sign."""
    found = Comparison(new, old).relative
    assert found == pytest.approx((new - old) / abs(old))
    assert found is not None
    assert found * (new - old) >= 0


def test_nothing_is_a_share_of_zero() -> None:
    """Against an old figure of zero there is a difference and no share."""
    assert Comparison(0.5, 0.0).difference == 0.5
    assert Comparison(0.5, 0.0).relative is None


@pytest.mark.parametrize("task", ["arc", "squad_v2"])
def test_larger_effects_need_fewer_examples(task: str) -> None:
    """The more questions of eighty are gained, the fewer would have shown it."""
    make = letters if task == "arc" else spans
    old = [False, True] * 40
    needed = []
    for gained in (5, 10, 20, 40):
        new = [right or place < 2 * gained for place, right in enumerate(old)]
        found = versus(make(new), make(old), task).quality(FULL, BASE, task)
        assert found is not None
        assert found.enough is not None
        needed.append(found.enough)
    assert needed == sorted(needed, reverse=True)
    assert needed[0] > 80 > needed[-1]


def three() -> Results:
    """Return three candidates on the same forty questions."""
    made_by = {"full": ("arc", 0.9), "lora-r4": ("arc", 0.7), "base": (None, 0.5)}
    return results(
        *(
            made(method, on, lines=letters(bits(40, share, place)), seed=0 if on else None)
            for place, (method, (on, share)) in enumerate(made_by.items())
        )
    )


def test_all_candidates_share_their_resamples() -> None:
    """Two differences add up to the third in every single resample, and equal answers to equal replicates."""
    resampler = Resampler(three(), resamples=50)
    full, lora, base = (resampler.quality(one, "arc", ACCURACY) for one in (FULL, LORA, BASE))
    rights = [np.array(bits(40, share, place)) for place, share in enumerate((0.9, 0.7, 0.5))]
    drawn = resampler.weights("arc", tuple(map(str, range(40))), ("",) * 40)
    for replicates, right in zip((full, lora, base), rights, strict=True):
        np.testing.assert_allclose(replicates, drawn @ right / 40, rtol=1e-6)


def test_other_candidates_do_not_matter() -> None:
    """A comparison is the same whatever else is among the results, and with the same seed every time."""
    whole, pair = three(), Results(three().cells[::2])
    first = Comparisons(whole)
    first.quality(LORA, BASE, "arc")
    assert first.quality(FULL, BASE, "arc") == Comparisons(pair).quality(FULL, BASE, "arc")


def test_another_seed_draws_other_resamples() -> None:
    """The seed decides the resamples, the number how many there are."""
    one, same, other = (Resampler(three(), 30, seed).quality(FULL, "arc") for seed in (0, 0, 1))
    assert one is not None
    assert one.shape == (30,)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_latency_replicates() -> None:
    """Mean and percentile of latency are resampled over timed calls; without one there are none."""
    found = results(made(lines=seconds([1.0, 2.0, 3.0, None])), made("full", "arc", lines=seconds([None] * 4)))
    resampler = Resampler(found, resamples=40)
    mean, median = resampler.latency(BASE, "arc"), resampler.latency(BASE, "arc", 50)
    assert mean is not None
    assert median is not None
    assert mean.mean() == pytest.approx(2.0, abs=0.5)
    assert set(median) == {1.0, 2.0, 3.0, math.inf}
    assert resampler.latency(FULL, "arc") is None
    assert resampler.latency(LORA, "arc") is None


def test_a_metric_without_rows_has_no_replicates() -> None:
    """What the rows do not hold, or no rows are there for, is not resampled."""
    resampler = Resampler(three())
    assert resampler.quality(BASE, "arc", EXACT) is None
    published = Resampler(reference("paper"))
    assert published.quality(Candidate("Qwen3-1.7B", "base"), "arc") is None
    assert published.latency(Candidate("Qwen3-1.7B", "base"), "arc") is None
