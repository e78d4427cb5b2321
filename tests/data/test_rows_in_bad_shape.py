"""Rows in bad shape: refused with file, row and column, or passed over and counted."""

import math
from pathlib import Path
from typing import Any

import pytest

from tests.files import WRITERS
from tests.rows import ROWS, study_of
from tunescale_core.data.examples import load_examples
from tunescale_core.errors import DataError
from tunescale_core.measuring.scoring import score_file
from tunescale_core.study.task_data import Purpose
from tunescale_core.tasks import TASKS

MISSING: Any = object()


TEXTS = ["oak", "robin", "tea", "iron"]


LABELS = "['A', 'B', 'C', 'D']"


REFUSED = {
    "missing column": ("arc", "json", {"question": MISSING}, "no column 'question' (it has: id, choices, answerKey)"),
    "missing SQuAD column": ("squad_v2", "jsonl", {"context": MISSING}, "no column 'context' (it has: id, "),
    "null": ("openmath", "parquet", {"problem": None}, "column 'problem' is NoneType, not str"),
    "null in JSON": ("squad_v2", "jsonl", {"question": None}, "column 'question' is NoneType, not str"),
    "NaN": ("squad_v2", "jsonl", {"context": math.nan}, "column 'context' is float, not str"),
    "list for text": ("openmath", "jsonl", {"expected_answer": [5]}, "column 'expected_answer' is list, not str"),
    "text for choices": ("arc", "json", {"choices": "oak"}, "column 'choices' is str, not dict"),
    "choice without a label": (
        "arc",
        "parquet",
        {"choices": {"text": TEXTS, "label": ["A", None, "C", "D"]}},
        "column 'choices.label' is not a list of text",
    ),
    "empty label": (
        "arc",
        "jsonl",
        {"choices": {"text": TEXTS, "label": ["A", "", "C", "D"]}},
        "column 'choices' has a choice without a label: ['A', '', 'C', 'D']",
    ),
    "lists of different length": (
        "arc",
        "parquet",
        {"choices": {"text": TEXTS, "label": list("ABC")}},
        "column 'choices' has 3 labels for 4 texts",
    ),
    "key that is no label": (
        "arc",
        "parquet",
        {"answerKey": "E"},
        f"column 'answerKey' is 'E', which is none of the labels {LABELS}",
    ),
    "no key": ("arc", "jsonl", {"answerKey": ""}, f"column 'answerKey' is '', which is none of the labels {LABELS}"),
    "answers as a list": ("squad_v2", "json", {"answers": ["the mill"]}, "column 'answers' is list, not dict"),
    "answers as text": ("squad_v2", "jsonl", {"answers": "the mill"}, "column 'answers' is str, not dict"),
    "answers to what has none": (
        "squad_v2",
        "json",
        {"is_impossible": True},
        "column 'is_impossible' is True of a row with",
    ),
    "NaN for an id": ("squad_v2", "jsonl", {"id": math.nan}, "column 'id' is float, not str"),
    "list for an id": ("arc", "jsonl", {"id": ["a"]}, "column 'id' is list, not str"),
    "answers without text": ("squad_v2", "jsonl", {"answers": {}}, "column 'answers.text' is not a list of text"),
}


PASSED_OVER = {
    "empty question": ("arc", "parquet", {"question": ""}, "empty question"),
    "empty SQuAD question": ("squad_v2", "jsonl", {"question": "  "}, "empty question"),
    "empty problem": ("openmath", "csv", {"problem": ""}, "empty question"),
    "empty gold answer": ("openmath", "csv", {"expected_answer": ""}, "empty gold answer"),
    "empty gold span": ("squad_v2", "parquet", {"answers": {"text": [""], "answer_start": [0]}}, "empty gold answer"),
    "gold answer in words": ("openmath", "csv", {"expected_answer": "x + 1"}, "gold answer is not a number"),
    "three choices": ("arc", "parquet", {"choices": {"text": TEXTS[:3], "label": list("ABC")}}, "not four choices"),
}


def written(folder: Path, task: str, suffix: str, change: dict[str, Any]) -> Path:
    """Write twenty rows for a task, the 17th of them changed."""
    rows = ROWS[task](20)
    rows[16] = {name: value for name, value in (rows[16] | change).items() if value is not MISSING}
    path = folder / f"rows.{suffix}"
    WRITERS[suffix](path, rows)
    return path


@pytest.mark.parametrize(("task", "suffix", "change", "message"), REFUSED.values(), ids=REFUSED)
def test_a_bad_row_is_named(tmp_path: Path, task: str, suffix: str, change: dict[str, Any], message: str) -> None:
    """A row that cannot be read ends in one line with file, row and column, whatever it was to be used for."""
    path = written(tmp_path, task, suffix, change)
    study = study_of(tmp_path, task, data=path.name, eval_examples=20, train_examples=20, dev_data=path.name)
    (tmp_path / "said.json").write_text("{}")
    with pytest.raises(DataError) as scored:
        score_file(TASKS[task], path, tmp_path / "said.json")
    purposes: tuple[Purpose, ...] = ("train", "eval", "dev")
    for purpose in purposes:
        with pytest.raises(DataError) as loaded:
            load_examples(study, task, purpose)
        assert str(loaded.value) == str(scored.value)
    assert str(scored.value).startswith(f"data file {path}, row 17: {message}")
    assert "\n" not in str(scored.value)


@pytest.mark.parametrize(("task", "suffix", "change", "reason"), PASSED_OVER.values(), ids=PASSED_OVER)
def test_a_row_passed_over_is_counted(
    tmp_path: Path, task: str, suffix: str, change: dict[str, Any], reason: str
) -> None:
    """A row that the task cannot ask is left out, and the count says why."""
    path = written(tmp_path, task, suffix, change)
    places: dict[Purpose, dict[str, str]] = {"train": {"eval_data": "embedded"}, "eval": {}}
    for purpose, elsewhere in places.items():
        study = study_of(tmp_path, task, data=path.name, eval_examples=20, train_examples=20, **elsewhere)
        loaded = load_examples(study, task, purpose)
        assert (len(loaded.rows), loaded.left_out) == (19, {reason: 1})
