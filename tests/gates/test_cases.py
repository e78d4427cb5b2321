"""The verdict on a case as a whole: whether it ran, and whether it was asked the same."""

from __future__ import annotations

import pytest

from tests.gating import CELL, HASHES, letters, side
from tests.making import COST
from tunescale_core.gates.cases import case, case_of_rounds
from tunescale_core.gates.verdict import CASE
from tunescale_core.results.result import Result

RAN = side(letters([True] * 4))
FAILED = side(key=None, error="ModelError: gone", hashes={})


def otherwise(**hashes: str) -> Result:
    return side(letters([True] * 4), hashes={**HASHES, **hashes})


@pytest.mark.parametrize(
    ("old", "new", "outcome", "failed", "note"),
    [
        (RAN, RAN, "holds", False, ""),
        (RAN, None, "regression", True, "missing from this run"),
        (FAILED, None, "regression", True, "missing from this run"),
        (RAN, FAILED, "regression", True, "ModelError: gone"),
        (None, RAN, "new", False, "not in the baseline"),
        (None, FAILED, "regression", True, "ModelError: gone"),
        (FAILED, RAN, "better", False, "failed in the baseline: ModelError: gone; save the baseline anew"),
        (FAILED, FAILED, "refused", True, "ModelError: gone; so did the baseline: save the baseline anew"),
    ],
    ids=[
        "same",
        "missing",
        "missing and failed before",
        "fails now",
        "new",
        "new and failing",
        "failed before",
        "still failing",
    ],
)
def test_whether_it_ran(old: Result | None, new: Result | None, outcome: str, failed: bool, note: str) -> None:  # noqa: FBT001
    """A case that is missing or fails is a regression; one that never ran proves nothing; a new one is reported."""
    found = case(CELL, old, new)
    assert (found.cell, found.metric, found.outcome, found.failed, found.note) == (CELL, CASE, outcome, failed, note)


@pytest.mark.parametrize(("name", "verb"), [("examples", "differ"), ("prompts", "differ"), ("protocol", "differs")])
def test_what_was_asked_otherwise_is_refused(name: str, verb: str) -> None:
    """A refusal says which hash differs, with the beginnings of both, and fails."""
    found = case(CELL, otherwise(**{name: "1a2b3c4d5e"}), otherwise(**{name: "9f8e7d6c5b"}))
    assert (found.outcome, found.required, found.failed) == ("refused", True, True)
    assert found.note == f"{name} {verb}: 1a2b3c4d in the baseline, 9f8e7d6c now; save the baseline anew"


def test_another_number_of_questions_is_told() -> None:
    """Where a run asks more or fewer than its baseline, the refusal says so, and not by hashes alone."""
    fewer = side(letters([True] * 3), hashes={**HASHES, "examples": "f" * 64})
    assert case(CELL, RAN, fewer).note == (
        "other questions were asked: 4 in the baseline, 3 now; save the baseline anew"
    )


def test_another_number_of_rows_to_learn_is_told() -> None:
    """What a variant was trained on is told by its rows and steps, where both records say them."""

    def trained(rows: int | None) -> Result:
        cost = COST.model_copy(update={"rows": rows, "steps": 10})
        return side(letters([True] * 4), recipe={"epochs": 1.0}, cost=cost)

    assert case(CELL, trained(1600), trained(8)).note == "trained otherwise: rows 1600 in the baseline, 8 now"
    assert not case(CELL, trained(None), trained(8)).note


def test_records_without_hashes_are_refused() -> None:
    """Where a side does not say what it was asked, nothing shows that it was the same."""
    bare = side(letters([True] * 4), hashes={})
    assert case(CELL, bare, RAN).note.startswith("the baseline has no hash of its examples, prompts, protocol")
    partly = side(letters([True] * 4), hashes={"examples": "e" * 64, "protocol": "c" * 64})
    assert case(CELL, RAN, partly).note.startswith("this run has no hash of its prompts")
    assert case(CELL, RAN, partly).failed


def test_another_kind_of_task_is_refused() -> None:
    """Examples that another kind of task scores are not comparable, though they be the same."""
    found = case(CELL, RAN, side(letters([True] * 4), kind="openmath"))
    assert found.note.startswith("the kind of task differs: arc in the baseline, openmath now")


def test_rows_that_are_not_the_records_are_refused() -> None:
    """Equal hashes over unequal rows, or none, are a damaged baseline."""
    longer = side(letters([True] * 5))
    assert "rows differ" in case(CELL, longer, RAN).note
    assert case(CELL, side(metrics={"macro_f1": 1.0}), RAN).note.startswith("the baseline has no rows")


def test_a_case_of_which_there_are_times_alone() -> None:
    """A file of pytest-benchmark tells that a case was there: it must be there, and run."""
    assert [case_of_rounds(CELL, one).outcome for one in (RAN, FAILED, None)] == ["holds", "regression", "regression"]
