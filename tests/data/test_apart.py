"""Training, development and evaluation keep apart: no question of one is in another."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.files import write_json, write_jsonl
from tests.rows import openmath_rows, study_of
from tunescale_core.data.examples import check_apart, load_examples
from tunescale_core.errors import DataError
from tunescale_core.study.study import Study
from tunescale_core.tasks import TASKS, Example

EXAMPLE = Example("q", TASKS["arc"].prompt("Which?"), ("A",), "\\boxed{A}")


def test_development_rows_are_as_many_as_declared(tmp_path: Path) -> None:
    """`dev_examples` of a task holds, `dev_skip` passes over rows, and `dev_split` names the split."""
    study = study_of(tmp_path, dev_examples=5)
    later = study_of(tmp_path, dev_examples=3, dev_skip=2, dev_split="dev")
    first = load_examples(study, "openmath", "dev").rows
    assert len(first) == 5
    assert load_examples(later, "openmath", "dev").rows == first[2:]


def test_development_rows_that_are_evaluated_are_refused(tmp_path: Path) -> None:
    """Where a recipe would be chosen by evaluation questions, the error says how many they are."""
    write_json(tmp_path / "rows.json", openmath_rows(6))
    study = study_of(tmp_path, data="rows.json", eval_examples=4, dev_split="dev", dev_skip=2)
    with pytest.raises(DataError, match=r"^task openmath: 2 of 4 development examples are evaluation questions too"):
        load_examples(study, "openmath", "dev")
    apart = study_of(tmp_path, data="rows.json", eval_examples=4, dev_split="dev", dev_skip=4)
    assert len(load_examples(apart, "openmath", "dev").rows) == 2


def test_apart_is_of_what_is_asked() -> None:
    """Examples share a question where their prompts say the same, whatever their ids and answers."""
    other = dataclasses.replace(EXAMPLE, messages=TASKS["arc"].prompt("Who?"))
    check_apart([EXAMPLE], [other], "arc")
    check_apart([EXAMPLE], [], "arc")
    with pytest.raises(DataError, match="1 of 2"):
        check_apart([EXAMPLE, other], [dataclasses.replace(EXAMPLE, id="x", gold=("B",))], "arc")


def contaminated(folder: Path, n: int | None, **data: Any) -> Study:
    """Return a study whose ten training rows hold two evaluation questions, one of them in other words' company."""
    held_out = [{"problem": f"How many legs have {k} of Odo's old goats now?", "expected_answer": "4"} for k in "ab"]
    write_json(folder / "eval.json", held_out)
    told = {"problem": f"Odo asks Mara: {held_out[1]['problem'].upper()}", "expected_answer": "4"}
    write_json(folder / "train.json", [*openmath_rows(2), held_out[0], told, *openmath_rows(8)[2:]])
    study = study_of(folder, data="train.json", eval_data="eval.json", train_examples=6, **data)
    return study.model_copy(update={"study": study.study.model_copy(update={"decontaminate": n})})


def test_contaminated_rows_make_room_for_others(tmp_path: Path) -> None:
    """Rows that share an n-gram with evaluation are counted, and others are drawn until there are enough."""
    loaded = load_examples(contaminated(tmp_path, 8), "openmath", "train")
    assert [one.gold for one in loaded.rows] == [(str(n),) for n in range(1, 7)]
    assert loaded.left_out == {"asked in evaluation": 1, "shares a 8-gram with evaluation": 1}


def test_no_evaluation_question_is_trained_on(tmp_path: Path) -> None:
    """Without `decontaminate` training rows are taken as they come, but for the evaluation questions themselves."""
    loaded = load_examples(contaminated(tmp_path, None), "openmath", "train")
    assert (len(loaded.rows), loaded.left_out) == (6, {"asked in evaluation": 1})
    assert "Odo asks Mara" in loaded.rows[2].messages[-1]["content"]


def test_one_file_is_not_both_trained_on_and_asked(tmp_path: Path) -> None:
    """Where one file is all there is, training takes what evaluation leaves, or says that nothing is left."""
    write_jsonl(tmp_path / "rows.jsonl", openmath_rows(5))
    study = study_of(tmp_path, data="rows.jsonl", eval_examples=3, train_examples=9)
    asked, taught = (load_examples(study, "openmath", purpose) for purpose in ("eval", "train"))
    assert not {one.id for one in asked.rows} & {one.id for one in taught.rows}
    assert (len(taught.rows), taught.left_out) == (2, {"asked in evaluation": 3})
    with pytest.raises(DataError, match=r"no usable rows for train .5 left out: asked in evaluation"):
        load_examples(study_of(tmp_path, data="rows.jsonl", eval_examples=9), "openmath", "train")


def test_rows_that_are_not_asked_contaminate_nothing(tmp_path: Path) -> None:
    """Evaluation questions beyond `eval_examples` are no reason to leave a row out."""
    loaded = load_examples(contaminated(tmp_path, 8, eval_examples=1), "openmath", "train")
    assert loaded.left_out == {"asked in evaluation": 1, "shares a 8-gram with evaluation": 0}


def test_development_rows_are_kept_from_training_too(tmp_path: Path) -> None:
    """Where a task has development rows, training rows that repeat them are left out as well."""
    write_json(tmp_path / "dev.json", openmath_rows(1))
    loaded = load_examples(contaminated(tmp_path, 8, dev_data="dev.json"), "openmath", "train")
    assert loaded.left_out == {"asked in evaluation": 2, "shares a 8-gram with evaluation": 1}


def test_an_endless_source_is_given_up(tmp_path: Path) -> None:
    """Where an n-gram is in every row of the embedded source, loading ends and says why nothing is left."""
    study = study_of(tmp_path, eval_examples=300)
    study = study.model_copy(update={"study": study.study.model_copy(update={"decontaminate": 2})})
    with pytest.raises(DataError, match=r"no usable rows for train \(300 left out: shares a 2-gram with evaluation\)"):
        load_examples(study, "openmath", "train")
