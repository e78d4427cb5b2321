"""Answers that the token limit ended: which cells are told, and the worst first."""

from __future__ import annotations

from tests.making import line
from tests.making import record as made
from tunescale_core.results.result import Result, from_record
from tunescale_core.tables.cut_short import cut_short


def cell(model: str, cut: int) -> Result:
    """Return a cell of twenty answers, so many of them cut off."""
    return from_record(
        made(model=model, lines=[line(place=n, finish="length" if n < cut else "stop") for n in range(20)])
    )


def test_few_that_are_cut_off_are_not_told() -> None:
    """One answer of twenty is the model's own affair; two are a tenth."""
    assert list(cut_short([cell("a", 1), cell("b", 0)])) == []
    assert [told.rpartition(": ")[2] for told in cut_short([cell("a", 2)])] == ["10% of a-base's for arc"]


def test_the_worst_are_named_and_the_others_counted() -> None:
    """Of five cells the three worst are named, the worst first, and two are counted."""
    (told,) = cut_short([cell(name, cut) for name, cut in zip("abcde", (4, 20, 8, 2, 12), strict=True)])
    assert told.endswith(
        "100% of b-base's for arc, 60% of e-base's for arc, 40% of c-base's for arc, and in 2 more cells"
    )
