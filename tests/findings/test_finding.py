"""Verdicts: what a comparison says of a claim, and what the parts say of a question."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.findings.finding import Basis, Finding, Show, Verdict, compared, settled, summary
from tunescale_core.results.comparison import Comparison
from tunescale_core.stats.corrected import adjusted
from tunescale_core.stats.interval import Interval
from tunescale_core.tasks.task import Direction

NAMED = Finding("Q1.x.arc.quality", "x is better", unit="points", note="n", aligned=True)
OPEN: Verdict = "not enough evidence"
POSITIVE = st.floats(1e-3, 1e6)
SHARES = st.floats(0, 1)


def finding(low: float, high: float, p: float | None = 0.001, key: str = "Q1.x") -> Finding:
    """Return a finding whose merit lies in the middle of its interval."""
    middle = (low + high) / 2
    return Finding(key, "", value=middle, merit=middle, interval=Interval(middle, low, high), p=p)


def judged(one: Finding) -> tuple[Verdict, Basis]:
    (found,) = settled([one])
    return found.verdict, found.basis


@pytest.mark.parametrize(
    ("low", "high", "p", "verdict"),
    [
        (0.1, 0.3, 0.001, "supported"),
        (-0.3, -0.1, 0.001, "refuted"),
        (-0.1, 0.3, 0.001, OPEN),
        (-0.3, 0.1, 0.001, OPEN),
        (0.0, 0.3, 0.001, OPEN),
        (-0.3, 0.0, 0.001, OPEN),
        (0.1, 0.3, 0.06, OPEN),
        (-0.3, -0.1, 0.06, OPEN),
    ],
)
def test_interval_and_p_decide_together(low: float, high: float, p: float, verdict: Verdict) -> None:
    """A claim holds or fails where its interval leaves zero out and p is small; otherwise it stays open."""
    assert judged(finding(low, high, p)) == (verdict, "interval")


@pytest.mark.parametrize(("merit", "verdict"), [(0.1, "supported"), (-0.1, "refuted"), (0.0, OPEN)])
def test_point_values_decide_where_they_are_all(merit: float, verdict: Verdict) -> None:
    """Without interval and p the sign of the merit decides, and the basis says so."""
    assert judged(Finding("Q1.x", "", value=9.0, merit=merit)) == (verdict, "point values")


@pytest.mark.parametrize(
    ("merit", "p", "verdict"),
    [(0.5, 0.01, "supported"), (0.5, 0.2, OPEN), (-0.5, 0.01, "refuted"), (-0.5, 0.2, OPEN)],
)
def test_a_test_without_interval(merit: float, p: float, verdict: Verdict) -> None:
    """With a p alone, as for a correlation, the merit's sign counts where p is small."""
    assert judged(Finding("Q4.x", "", value=merit, merit=merit, p=p)) == (verdict, "test")


@pytest.mark.parametrize("one", [Finding("Q4.x", ""), Finding("Q4.x", "", value=1.0, merit=math.nan)])
def test_what_is_undefined_is_open(one: Finding) -> None:
    """Without a value, or with a merit that is no number, there is no evidence and no basis."""
    assert judged(one) == (OPEN, "nothing")


def test_p_values_are_corrected_for_their_number() -> None:
    """A p that would do alone does not where it is the only small one of many."""
    one = finding(0.1, 0.3, 0.04)
    assert judged(one) == ("supported", "interval")
    many = settled([one, *(finding(-0.1, 0.3, 0.5, f"Q1.{n}") for n in range(9))])
    assert many[0].p == 0.04
    assert many[0].p_adjusted == pytest.approx(0.4)
    assert many[0].verdict == OPEN


@given(st.lists(st.none() | SHARES, max_size=12))
def test_only_what_was_tested_is_corrected(ps: list[float | None]) -> None:
    """Findings keep their places and their p; those without one have no corrected one and are not counted."""
    found = settled(finding(0.1, 0.3, p, f"Q1.{place}") for place, p in enumerate(ps))
    assert [one.key for one in found] == [f"Q1.{place}" for place in range(len(ps))]
    assert [one.p for one in found] == ps
    corrected = [one.p_adjusted for one in found if one.p is not None]
    assert corrected == adjusted([p for p in ps if p is not None])
    assert all(one.p_adjusted is None and one.verdict == "supported" for one in found if one.p is None)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1), st.none() | SHARES), max_size=8))
def test_settling_again_changes_nothing(rows: list[tuple[float, float, float | None]]) -> None:
    """A verdict follows from what was found alone, not from an earlier verdict."""
    found = settled(finding(low, low + wide, p) for low, wide, p in rows)
    assert settled(found) == found
    assert settled(replace(one, verdict="refuted", basis="nothing") for one in found) == found


def test_summaries_are_not_settled() -> None:
    """What was summed up from parts keeps its verdict."""
    whole = summary("Q1", "", settled([finding(0.1, 0.3)]))
    assert settled([whole]) == (whole,)


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        (["supported"], "supported"),
        (["supported", "supported"], "supported"),
        (["supported", OPEN], OPEN),
        ([OPEN], OPEN),
        ([OPEN, "refuted"], "refuted"),
        (["supported", "supported", "refuted"], "refuted"),
    ],
)
def test_parts_make_a_whole(verdicts: list[Verdict], verdict: Verdict) -> None:
    """A question is supported where all its parts are and refuted where one is; the counts are its inputs."""
    parts = [Finding(f"Q1.{place}", "", verdict=one) for place, one in enumerate(verdicts)]
    whole = summary("Q1", "claimed", parts)
    assert (whole.key, whole.claim, whole.verdict, whole.basis) == ("Q1", "claimed", verdict, "parts")
    assert whole.is_summary
    assert whole.inputs == {name: verdicts.count(name) for name in ("supported", "refuted", OPEN)}
    assert (whole.value, whole.unit) == (verdicts.count("supported"), f"of {len(verdicts)}")
    assert whole.formula == f"all {len(verdicts)} parts supported"


def test_what_speaks_against_is_named() -> None:
    """A refuted question's note names the parts that refute it, after any other note."""
    parts = [Finding("Q1.a", "", verdict="refuted"), Finding("Q1.b", ""), Finding("Q1.c", "", verdict="refuted")]
    assert summary("Q1", "", parts).note == "against it: Q1.a, Q1.c; open: Q1.b"
    assert summary("Q1", "", parts, "mind").note == "mind; against it: Q1.a, Q1.c; open: Q1.b"
    assert summary("Q1", "", parts[1:2]).note == "open: Q1.b"


def test_a_whole_of_nothing() -> None:
    """Without parts there is not enough evidence, based on nothing."""
    whole = summary("Q1", "", (), "no such thing")
    assert (whole.verdict, whole.basis, whole.value, whole.note) == (OPEN, "nothing", 0.0, "no such thing")


@pytest.mark.parametrize(
    ("better", "show", "value", "formula", "unit"),
    [
        ("higher", "improvement", -20.0, "(new - old) / |old|", "%"),
        ("higher", "change", -20.0, "(new - old) / |old|", "%"),
        ("higher", "difference", -1.0, "new - old", "points"),
        ("lower", "improvement", 20.0, "(old - new) / |old|", "%"),
        ("lower", "change", -20.0, "(new - old) / |old|", "%"),
        ("lower", "difference", -1.0, "new - old", "points"),
    ],
)
def test_what_a_comparison_shows(better: Direction, show: Show, value: float, formula: str, unit: str) -> None:
    """An improvement is positive for the better, a change and a difference for the larger; only shares are percent."""
    found = compared(NAMED, Comparison(4.0, 5.0), better, show)
    assert (found.value, found.formula, found.unit) == (pytest.approx(value), formula, unit)
    assert found.inputs == {"new": 4.0, "old": 5.0}
    assert found.merit == (-1.0 if better == "higher" else 1.0)
    assert (found.key, found.claim, found.note, found.aligned) == (NAMED.key, NAMED.claim, NAMED.note, True)


@pytest.mark.parametrize(("better", "ends"), [("higher", (-2.0, 0.5)), ("lower", (-0.5, 2.0))])
def test_the_interval_is_the_merits(better: Direction, ends: tuple[float, float]) -> None:
    """Where less is better the interval of the difference is mirrored; p, n and enough are taken over."""
    source = Comparison(4.0, 5.0, Interval(-1.0, -2.0, 0.5), 0.2, 30, 400)
    found = compared(NAMED, source, better, "difference")
    assert found.interval == Interval(found.merit, *ends)
    assert (found.p, found.n, found.enough) == (0.2, 30, 400)


@given(POSITIVE, POSITIVE)
def test_better_one_way_is_worse_the_other(new: float, old: float) -> None:
    """Merit and improvement have one sign, and the other one where the other direction is better."""
    higher, lower = (compared(NAMED, Comparison(new, old), better, "improvement") for better in ("higher", "lower"))
    assert higher.value == pytest.approx(100 * (new - old) / old)
    assert lower.value == pytest.approx(100 * (old - new) / old)
    assert higher.merit == new - old == -lower.merit
    verdicts = [judged(one)[0] for one in (higher, lower)]
    expected = {"supported", "refuted"} if new != old else {OPEN}
    assert set(verdicts) == expected


def test_a_share_of_zero_is_undefined_and_a_difference_is_not() -> None:
    """Against zero there is a difference to show, and no percent."""
    assert compared(NAMED, Comparison(4.0, 0.0), "higher", "change").value is None
    assert compared(NAMED, Comparison(4.0, 0.0), "higher", "difference").value == 4.0


@pytest.mark.parametrize(
    ("key", "question", "whole"), [("Q1", "Q1", True), ("C7", "C7", True), ("Q1.full-on-arc.arc.quality", "Q1", False)]
)
def test_keys_say_what_a_finding_is_about(key: str, question: str, whole: bool) -> None:  # noqa: FBT001  what is expected
    """A key begins with its question, and is nothing but it for the answer as a whole."""
    one = Finding(key, "")
    assert (one.question, one.is_summary) == (question, whole)


def test_an_old_figure_of_zero_hides_no_evidence() -> None:
    """Where nothing can be a share of an old figure of zero, the interval still decides."""
    one = Finding("Q1.x", "", value=None, merit=1.0, interval=Interval(1.0, 0.9, 1.0), p=0.001)
    assert judged(one) == ("supported", "interval")
    assert judged(Finding("Q1.x", "", value=None, merit=-1.0)) == ("refuted", "point values")


def test_one_test_counts_once() -> None:
    """A comparison that answers two questions, turned round in one of them, is one test when p is corrected."""
    one = Finding("Q3.x", "", inputs={"new": 1.0, "old": 2.0}, value=1.0, merit=-1.0, p=0.03, n=9)
    same = replace(one, key="Q5.x", inputs={"new": 2.0, "old": 1.0}, merit=1.0)
    other = replace(one, key="Q1.x", inputs={"new": 5.0, "old": 4.0}, p=0.5)
    assert [found.p_adjusted for found in settled([one, same, other])] == pytest.approx([0.06, 0.06, 0.5])


def test_what_was_not_asked_alike_has_no_verdict() -> None:
    """Two sides with examples that are not the same ones decide nothing, however far apart their values are."""
    found = compared(NAMED, Comparison(0.9, 0.1, unlike=True), "higher", "change")
    assert judged(found) == (OPEN, "nothing")
    assert found.note == "n; not comparable: other questions were asked, or timed"


def test_enough_is_more_than_was_not_enough() -> None:
    """What six examples did not settle, six or fewer are never said to."""
    (found,) = settled([replace(finding(-0.1, 0.3, p=0.06), n=6, enough=2)])
    assert (found.verdict, found.enough) == (OPEN, 7)


@pytest.mark.parametrize(("n", "p", "tests", "enough"), [(4, 0.125, 1, 6), (5, 0.0625, 1, 6), (5, 0.0625, 10, 11)])
def test_enough_is_what_a_test_of_signs_can_tell(n: int, p: float, tests: int, enough: int) -> None:
    """Five differences, all of one sign, have p = 2/32: six are needed, and more beside tests that find nothing."""
    one = replace(finding(0.1, 0.3, p=p), n=n, enough=n + 1)
    others = [finding(-0.1, 0.1, p=1.0, key=f"Q1.{key}") for key in range(tests - 1)]
    found, *_ = settled([one, *others])
    assert found.enough == enough
    assert 2 * 0.5**enough * tests < 0.05


def test_single_measurements_settle_nothing_beside_intervals() -> None:
    """A part without an interval outvotes none that has one; where no part has one, their values decide."""
    tested, single = settled([finding(0.1, 0.3), Finding("Q1.y", "", value=-1.0, merit=-1.0)])
    assert (tested.verdict, single.verdict) == ("supported", "refuted")
    assert summary("Q1", "", [tested, single]).verdict == OPEN
    assert summary("Q1", "", [single]).verdict == "refuted"
