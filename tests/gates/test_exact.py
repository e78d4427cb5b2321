"""What greedy decoding fixes: exactly compared where arithmetic is the same, as pairs where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gating import CELL, HERE, elsewhere, letters, side, tuned, with_torch
from tests.making import line
from tunescale_core.gates.exact import EXACT, TOKENS, fixed, parameters
from tunescale_core.gates.figure import Figure, decided
from tunescale_core.gates.verdict import Verdict
from tunescale_core.provenance import Provenance
from tunescale_core.records.lines import Line
from tunescale_core.study.margins import Gate
from tunescale_core.tasks import Answer
from tunescale_core.tasks.task import PARSE_RATE

OTHER = with_torch("2.9.1")


def said(tokens: list[int]) -> list[Line]:
    return [line(place=place, tokens=one) for place, one in enumerate(tokens)]


def parsed(read: list[bool]) -> list[Line]:
    return [line(Answer(("A",), "A" if one else None), place=place) for place, one in enumerate(read)]


def counted(old: list[int], new: list[int], now: Provenance = HERE, **margins: str) -> Verdict:
    return settled(fixed(CELL, TOKENS, side(said(old)), side(said(new), provenance=now), Gate.model_validate(margins)))


def readable(old: list[bool], new: list[bool], now: Provenance = HERE, **margins: str) -> Verdict:
    gate = Gate.model_validate(margins)
    return settled(fixed(CELL, PARSE_RATE, side(parsed(old)), side(parsed(new), provenance=now), gate))


def settled(found: Figure | Verdict) -> Verdict:
    return decided([found])[0] if isinstance(found, Figure) else found


@pytest.mark.parametrize(
    ("new", "margin", "outcome"),
    [
        ([10, 10], "0", "holds"),
        ([10, 11], "0", "regression"),
        ([10, 9], "0", "better"),
        ([10, 11], "+5%", "holds"),
        ([10, 12], "+5%", "regression"),
        ([10, 9], "±1%", "regression"),
        ([10, 9], "±5%", "better"),
    ],
)
def test_tokens_are_compared_exactly(new: list[int], margin: str, outcome: str) -> None:
    """On one arithmetic a single token more is a regression unless the margin allows it, and fewer are better."""
    found = counted([10, 10], new, tokens=margin)
    assert (found.outcome, found.test, found.p, found.interval) == (outcome, EXACT, None, None)
    assert (found.old, found.new, found.better) == (10.0, sum(new) / 2, "lower")


def test_the_parse_rate_is_compared_exactly() -> None:
    """One answer that can no longer be read is a regression, and one more that can is better."""
    assert readable([True] * 50, [True] * 49 + [False]).outcome == "regression"
    assert readable([True] * 49 + [False], [True] * 50).outcome == "better"
    assert readable([True] * 50, [True] * 49 + [False], parse_rate="-0.02").outcome == "holds"


@pytest.mark.parametrize("figure", [counted, readable])
def test_what_rounds_otherwise_is_tested(figure: object) -> None:
    """With another torch a single change is not held against the program, and a change of half of all is."""
    old, one, half = (
        ([9] * 40, [10] + [9] * 39, [10] * 20 + [9] * 20)
        if figure is counted
        else ([True] * 40, [False] + [True] * 39, [False] * 20 + [True] * 20)
    )
    single, many = figure(old, one, OTHER), figure(old, half, OTHER)  # type: ignore[operator]
    assert (single.outcome, many.outcome) == ("undecided", "regression")
    assert single.note == "torch differs: 2.9.0 in the baseline, 2.9.1 now"
    assert single.test in {"sign flips", "exact McNemar"}
    assert single.n == 40


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (with_torch("2.9.1"), "torch"),
        (elsewhere(versions={}), "torch differs: 2.9.0 in the baseline, unknown now"),
        (elsewhere(device="NVIDIA H100"), "device"),
        (elsewhere(cpu="Another"), "processor"),
        (elsewhere(threads=8), "threads"),
    ],
)
def test_what_decides_arithmetic(now: Provenance, told: str) -> None:
    """Versions, device, processor and threads decide a greedy answer: the note names what differs."""
    assert counted([9, 9], [9, 10], now).note.startswith(told)


def test_what_rounds_weights_decides_where_they_are_rounded() -> None:
    """Another version of what holds weights in few bits is no reason to compare exactly, nor is it one elsewhere."""
    old, new = ({**HERE.versions, "bitsandbytes": number} for number in ("0.46", "0.50"))
    for settings, told in (({"quantize": "4bit"}, "bitsandbytes differs: 0.46 in the baseline, 0.50 now"), ({}, "")):
        sides = [
            side(said(tokens), provenance=elsewhere(versions=versions), serving_settings=settings)
            for tokens, versions in (([9] * 9, old), ([9] * 8 + [10], new))
        ]
        found = fixed(CELL, TOKENS, *sides, Gate())
        assert (found.note if isinstance(found, Figure) else "") == told
        assert isinstance(found, Figure) is bool(told)


def test_what_does_not_decide_arithmetic() -> None:
    """A later time, another directory or another library leave the comparison exact."""
    now = elsewhere(created="2027-01-01T00:00:00Z", git_commit="b", versions={**HERE.versions, "datasets": "9"})
    assert counted([9, 9], [9, 10], now).test == EXACT


def test_a_server_is_nobodys_arithmetic() -> None:
    """What a server answered is tested, since nobody knows what it computes with; so is what has no provenance."""
    served, bare = side(said([9] * 9), serving_settings={"mode": "endpoint"}), side(said([9] * 9), provenance=None)
    assert isinstance(fixed(CELL, TOKENS, served, served, Gate()), Figure)
    found = fixed(CELL, TOKENS, bare, side(said([9] * 9)), Gate())
    assert found.note == "the baseline does not say where it was measured"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.lists(st.integers(1, 50), min_size=20, max_size=20))
def test_exact_comparisons_have_two_sides(old: list[int], others: list[int]) -> None:
    """What is a regression one way is better the other way, and equal counts hold."""
    new = others[: len(old)]
    there, back = counted(old, new).outcome, counted(new, old).outcome
    assert {there, back} in ({"holds"}, {"regression", "better"})
    assert (there == "holds") == (sum(old) == sum(new))


@pytest.mark.parametrize(
    ("new", "margin", "outcome", "figures", "note"),
    [
        ((1000, 9000), "0", "holds", (1000, 1000), "those trained"),
        ((1001, 9001), "0", "regression", (1000, 1001), "those trained"),
        ((999, 9000), "0", "better", (1000, 999), "those trained"),
        ((1000, 9001), "0", "regression", (9000, 9001), "all of them"),
        ((999, 9001), "0", "regression", (9000, 9001), "all of them"),
        ((1001, 9001), "+1%", "holds", (1000, 1001), "those trained"),
    ],
)
def test_parameters(new: tuple[int, int], margin: str, outcome: str, figures: tuple[int, int], note: str) -> None:
    """Trained parameters are compared exactly, and all of them are told where it is those that changed."""
    gate = Gate.model_validate({"parameters": margin})
    found = parameters(CELL, tuned(letters([True])), tuned(letters([True]), *new, provenance=OTHER), gate)
    assert (found.outcome, (found.old, found.new), found.note, found.test) == (outcome, figures, note, EXACT)


def test_parameters_that_are_not_told_are_refused() -> None:
    """A tuned case whose run does not say what it trained is refused."""
    found = parameters(CELL, tuned(letters([True])), side(letters([True])), Gate())
    assert (found.outcome, found.note) == ("refused", "this run does not say what it trained")
