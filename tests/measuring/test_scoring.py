"""Claims about scoring prediction files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.files import MATHS, write_json
from tunescale_core.errors import DataError
from tunescale_core.measuring.scoring import read_predictions, score_file
from tunescale_core.tasks import TASKS

ROWS = [
    {"id": "1", "context": "Mara keeps a goat.", "question": "What?", "answers": {"text": ["a goat"]}},
    {"id": "2", "context": "Mara keeps a goat.", "question": "Where?", "answers": {"text": []}},
    {"id": "3", "context": "Odo keeps a black cat.", "question": "What?", "answers": {"text": ["a black cat"]}},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A JSONL file of three questions."""
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    return path


def _write(folder: Path, content: object) -> Path:
    path = folder / "said.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_plain_and_boxed_answers_score_alike(data: Path, tmp_path: Path) -> None:
    r"""A bare span and the same span in a box are the same answer, as are "" and an empty box."""
    bare = score_file(TASKS["squad_v2"], data, _write(tmp_path, {"1": "goat", "2": "", "3": "cat"}))
    boxed = {"1": "so \\boxed{goat}", "2": "\\boxed{}", "3": "\\boxed{cat}"}
    assert score_file(TASKS["squad_v2"], data, _write(tmp_path, boxed)) == bare
    assert bare["f1"] == pytest.approx(100 * (1 + 1 + 2 / 3) / 3)
    assert bare["exact"] == pytest.approx(200 / 3)


def test_a_missing_prediction_is_wrong_and_counted(data: Path, tmp_path: Path) -> None:
    """Leaving out an unanswerable question is not abstaining."""
    found = score_file(TASKS["squad_v2"], data, _write(tmp_path, {"1": "goat", "3": "black cat", "9": "x"}))
    assert (found["missing"], found["unknown"], found["n"], found["left_out"]) == (1, 1, 3, 0)
    assert found["no_ans_accuracy"] == 0
    assert found["parse_rate"] == pytest.approx(2 / 3)


def test_answers_may_stand_in_the_rows_order(data: Path, tmp_path: Path) -> None:
    """An array holds an answer a row: the same figures as by id, for data whose rows have none of their own."""
    by_id = score_file(TASKS["squad_v2"], data, _write(tmp_path, {"1": "goat", "2": "", "3": "cat"}))
    assert score_file(TASKS["squad_v2"], data, _write(tmp_path, ["goat", "", "cat"])) == by_id


def test_rows_that_are_not_asked_have_a_place_too(tmp_path: Path) -> None:
    """A row that is left out takes its place in the order."""
    write_json(tmp_path / "d.json", MATHS)
    said = [str(row["expected_answer"]) for row in MATHS]
    found = score_file(TASKS["openmath"], tmp_path / "d.json", _write(tmp_path, said))
    assert found["accuracy"] == 1
    assert found["left_out"] == 1


def test_too_few_answers_are_refused(data: Path, tmp_path: Path) -> None:
    """An array of another length than the rows would score answers to other questions."""
    with pytest.raises(DataError, match=r"said\.json has 2 answers for 3 rows: give one a row$"):
        score_file(TASKS["squad_v2"], data, _write(tmp_path, ["goat", ""]))


def test_columns_of_ones_own_are_read(tmp_path: Path) -> None:
    """What a study's columns say, scoring reads too."""
    write_json(tmp_path / "d.json", [{"q": "Where?", "a": "here"}, {"q": "Who?", "a": "Mara"}])
    columns = {"question": "q", "answer": "a"}
    found = score_file(TASKS["short_answer"], tmp_path / "d.json", _write(tmp_path, ["here", "Odo"]), columns)
    assert found["exact"] == 50


@pytest.mark.parametrize("content", [["a", 1], {"1": 2}, "text", 3])
def test_other_layouts_are_refused(tmp_path: Path, content: object) -> None:
    """A predictions file that is neither id to text nor texts is named in the error."""
    with pytest.raises(DataError, match=r"said\.json"):
        read_predictions(_write(tmp_path, content))


def test_data_without_usable_rows_is_refused(tmp_path: Path) -> None:
    """Nothing to score is an error, not a score."""
    path = tmp_path / "empty.jsonl"
    path.write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="no row"):
        score_file(TASKS["squad_v2"], path, _write(tmp_path, {}))


def test_answers_to_nothing_are_an_error(tmp_path: Path) -> None:
    """Predictions of which none is to any example are keyed wrongly, which is said with an id as it should be."""
    write_json(tmp_path / "d.json", MATHS)
    (tmp_path / "p.json").write_text('{"m0": "1", "m1": "2"}')
    with pytest.raises(DataError, match=r"has no answer to any example of .*: its keys must be examples' ids, as "):
        score_file(TASKS["openmath"], tmp_path / "d.json", tmp_path / "p.json")
