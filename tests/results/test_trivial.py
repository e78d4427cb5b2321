"""What answering without looking scores: the best constant answer of each task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import line
from tests.making import record as made
from tunescale_core.records.files import write
from tunescale_core.results.published import reference
from tunescale_core.results.recorded import from_folder
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.results.trivial import trivial_quality, trivial_rule
from tunescale_core.tasks import TASKS, Answer

Golds = Sequence[tuple[str, ...]]


def asked(task: str, golds: Golds, said: str | None = None) -> Results:
    """Return the results of one record that was asked these questions."""
    lines = [line(Answer(gold, said), task, place) for place, gold in enumerate(golds)]
    return Results((from_record(made(task=task, lines=lines)),))


@pytest.mark.parametrize(
    ("task", "golds", "quality", "rule"),
    [
        ("arc", [("B",), ("B",), ("A",)], 0.2, "majority letter"),
        ("openmath", [("1",), ("2",), ("9",)], 8 / 3, "median number"),
        ("squad_v2", [("mill",), (), (), ()], 75.0, "always abstain"),
    ],
)
def test_each_task_has_its_trivial_answer(task: str, golds: Golds, quality: float, rule: str) -> None:
    """The majority letter, the median number and silence score as by hand, and are named."""
    found = asked(task, golds)
    assert trivial_quality(found, task) == pytest.approx(quality)
    assert trivial_rule(found, task) == rule


def test_any_metric_of_a_task_has_its_floor() -> None:
    """Of two questions with two letters the majority letter is right once: an accuracy of 0.5."""
    (accuracy,) = [one for one in TASKS["arc"].metrics if one.name == "accuracy"]
    assert trivial_quality(asked("arc", [("B",), ("A",)]), "arc", accuracy) == 0.5


def test_what_a_model_said_does_not_matter() -> None:
    """The trivial answer depends on what was asked, not on what was answered."""
    golds = [("A",), ("C",), ("C",)]
    assert len({trivial_quality(asked("arc", golds, said), "arc") for said in ("A", "C", None)}) == 1


@settings(max_examples=30)
@given(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=12))
def test_no_letter_beats_the_majority(golds: list[str]) -> None:
    """Whatever is right, no constant letter scores more than the trivial one."""
    best = trivial_quality(asked("arc", [(gold,) for gold in golds]), "arc")
    assert best is not None
    for letter in "ABCD":
        score = TASKS["arc"].primary([Answer((gold,), letter) for gold in golds])
        assert score is not None
        assert score <= best + 1e-9


@settings(max_examples=30)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=12))
def test_no_number_beats_the_median(golds: list[int]) -> None:
    """Whatever is right, no constant number lies closer in the mean than the trivial one."""
    best = trivial_quality(asked("openmath", [(str(gold),) for gold in golds]), "openmath")
    assert best is not None
    for number in {*golds, 0}:
        score = TASKS["openmath"].primary([Answer((str(gold),), str(number)) for gold in golds])
        assert score is not None
        assert score >= best - 1e-9


def test_records_on_disk_say_the_same(tmp_path: Path) -> None:
    """Read from a folder, without rows until they are needed, the trivial quality is that of the lines."""
    golds = [("mill",), ("dam", "the dam"), ()]
    lines = [line(Answer(gold, ""), "squad_v2", place) for place, gold in enumerate(golds)]
    write(made(task="squad_v2", lines=lines), tmp_path)
    found = trivial_quality(from_folder(tmp_path), "squad_v2")
    assert found == trivial_quality(asked("squad_v2", golds), "squad_v2") == pytest.approx(100 / 3)


def test_without_examples_nothing_is_known() -> None:
    """A published table and a record without lines have no questions, but the rule has its name."""
    for results in (reference("paper"), Results((from_record(made(metrics={"macro_f1": 0.5})),))):
        assert trivial_quality(results, "arc") is None
        assert trivial_rule(results, "arc") == "majority letter"
