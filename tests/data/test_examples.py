"""Rows to examples: what is asked, what is left out and why, and what identifies them."""

import dataclasses
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from tests.files import MATHS, WRITERS, write_json, write_jsonl
from tests.rows import arc_rows, study_of
from tunescale_core.data import examples as data_module
from tunescale_core.data.examples import Examples, Loader, fingerprint, load_examples, once
from tunescale_core.data.sources import Purpose
from tunescale_core.errors import DataError, TaskError
from tunescale_core.measuring.scoring import score_file
from tunescale_core.study.study import Study
from tunescale_core.tasks import PAPERS, TASKS, Example, LeftOut

EXAMPLE = Example("q", TASKS["arc"].prompt("Which?"), ("A",), "\\boxed{A}")


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_study_reads_a_file_of_its_own(tmp_path: Path, suffix: str) -> None:
    """Rows without a usable answer are counted as left out, and reading stops at the number asked for."""
    WRITERS[suffix](tmp_path / f"rows.{suffix}", MATHS)
    loaded = load_examples(study_of(tmp_path, data=f"rows.{suffix}", eval_data="embedded"), "openmath", "train")
    assert [example.gold for example in loaded.rows] == [("1",), ("3",), ("4/2",)]
    assert loaded.left_out == {"gold answer is not a number": 1}
    assert loaded.fingerprint == fingerprint(loaded.rows)


def test_a_tasks_own_numbers_override_the_studys(tmp_path: Path) -> None:
    """`eval_examples` of a task holds where given, the study's elsewhere."""
    study = study_of(tmp_path, data="embedded", eval_examples=5)
    assert len(load_examples(study, "openmath", "eval").rows) == 5
    assert len(load_examples(study, "openmath", "train").rows) == 3


def test_a_source_without_usable_rows_is_an_error(tmp_path: Path) -> None:
    """Where no row can be asked, the error names task, source and purpose, and says why."""
    write_json(tmp_path / "rows.json", [MATHS[1]])
    with pytest.raises(
        DataError,
        match=r"^task openmath: data file .*rows\.json has no usable rows for eval \(1 left out: gold answer is not",
    ):
        load_examples(study_of(tmp_path, data="rows.json"), "openmath", "eval")


def test_two_answers_to_one_question_are_asked_once(tmp_path: Path) -> None:
    """Where rows have no ids, the first is asked and the other counted; with one id given twice it is an error."""
    rows = [MATHS[0], MATHS[2], MATHS[0] | {"expected_answer": "9"}]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    study = study_of(tmp_path, data="rows.jsonl", eval_examples=9)
    loaded = load_examples(study, "openmath", "eval")
    assert [one.gold for one in loaded.rows] == [("1",), ("3",)]
    assert loaded.left_out == {"asked already, with another answer": 1}
    write_jsonl(tmp_path / "rows.jsonl", [row | {"id": "x" if "0" in row["problem"] else "y"} for row in rows])
    said = r"rows\.jsonl, rows 1 and 3: both ask 'What is 0 \+ 1\?' but have different answers; correct one of them$"
    with pytest.raises(DataError, match=said):
        load_examples(study, "openmath", "eval")


def test_only_training_needs_worked_solutions(tmp_path: Path) -> None:
    """Rows that are only asked may lack what training teaches."""
    write_jsonl(tmp_path / "train.jsonl", MATHS)
    write_jsonl(tmp_path / "eval.jsonl", [{"problem": "9 + 9?", "expected_answer": 18}])
    study = study_of(tmp_path, data="train.jsonl", eval_data="eval.jsonl", target="solution")
    assert load_examples(study, "openmath", "eval").rows[0].gold == ("18",)
    assert load_examples(study, "openmath", "train").rows[0].target == MATHS[0]["generated_solution"]


def test_a_row_of_a_hub_data_set_is_named_by_set_and_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bad row of the hub's is named by data set, configuration, split and row, those skipped counted."""
    import datasets

    rows = Dataset.from_list([*arc_rows(5), {"id": "x"}])
    builder = SimpleNamespace(download_and_prepare=lambda: None, as_dataset=lambda **_: rows, hash="c" * 40)
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: builder)
    study = study_of(tmp_path, "arc", data="a/b", config="c", skip=5)
    with pytest.raises(
        DataError, match=r"^data set a/b \(c, split test\), row 6: column 'choices' is NoneType, not dict$"
    ):
        load_examples(study, "arc", "eval")


def test_a_question_is_asked_once(tmp_path: Path) -> None:
    """The same question twice is asked once and counted, in a study and in scoring; training may repeat it."""
    rows = arc_rows(3) + arc_rows(4)
    write_jsonl(tmp_path / "rows.jsonl", rows)
    (tmp_path / "said.json").write_text('{"0": "B"}')
    study = study_of(tmp_path, "arc", data="rows.jsonl", eval_examples=9, train_examples=9)
    loaded = load_examples(study, "arc", "eval")
    assert [example.id for example in loaded.rows] == ["0", "1", "2", "3"]
    assert loaded.left_out == {"asked already": 3}
    apart = study_of(tmp_path, "arc", data="rows.jsonl", eval_data="embedded", train_examples=9)
    assert len(load_examples(apart, "arc", "train").rows) == 7
    figures = score_file(TASKS["arc"], tmp_path / "rows.jsonl", tmp_path / "said.json")
    assert (figures["n"], figures["left_out"], figures["left_out_by_reason"]) == (4, 3, {"asked already": 3})


@pytest.mark.parametrize("change", [{"question": "Another?"}, {"answerKey": "C"}])
def test_one_id_for_two_questions_is_an_error(tmp_path: Path, change: dict[str, Any]) -> None:
    """Rows with the same id and another question or answer are named, both, with their id."""
    write_jsonl(tmp_path / "rows.jsonl", [*arc_rows(3), arc_rows(2)[1] | change])
    study = study_of(tmp_path, "arc", data="rows.jsonl", eval_examples=9, train_examples=9)
    with pytest.raises(
        DataError, match=r"^data file .*rows\.jsonl, rows 2 and 4: both (have id '1' but not|ask '.* but have)"
    ):
        load_examples(study, "arc", "eval")
    apart = study_of(tmp_path, "arc", data="rows.jsonl", eval_data="embedded", train_examples=9)
    assert len(load_examples(apart, "arc", "train").rows) == 4


def test_several_solutions_of_a_problem_are_one_question(tmp_path: Path) -> None:
    """Rows that solve one problem in two ways are asked once in evaluation, and both are learnt."""
    rows = [{"problem": "2 + 3?", "expected_answer": "5", "generated_solution": way} for way in ("a", "b")]
    write_json(tmp_path / "rows.json", rows)
    study = study_of(tmp_path, data="rows.json", target="solution")
    assert load_examples(study, "openmath", "eval").left_out == {"asked already": 1}
    apart = study_of(tmp_path, data="rows.json", eval_data="embedded", target="solution")
    assert [example.target for example in load_examples(apart, "openmath", "train").rows] == ["a", "b"]


@given(st.lists(st.sampled_from("abc"), max_size=12))
def test_once_keeps_the_first_of_each(ids: list[str]) -> None:
    """What is kept is each question's first row, in order, and every other row is left out with its number."""
    rows = [(number, dataclasses.replace(EXAMPLE, id=one)) for number, one in enumerate(ids, 1)]
    passed = list(once(rows, "here"))
    assert [number for number, _ in passed] == [number for number, _ in rows]
    assert [one.id for _, one in passed if isinstance(one, Example)] == list(dict.fromkeys(ids))
    assert {one for _, one in passed if isinstance(one, LeftOut)} <= {LeftOut("asked already")}


def test_gsm8k_can_be_asked_of_what_openmath_taught(tmp_path: Path) -> None:
    """Training on OpenMathInstruct-2's columns and evaluating on GSM8K's is one study."""
    write_json(tmp_path / "rows.json", MATHS)
    write_jsonl(tmp_path / "gsm8k.jsonl", [{"question": "48 + 24?", "answer": "It is <<48+24=72>>72.\n#### 1,072"}])
    study = study_of(tmp_path, data="rows.json", eval_data="gsm8k.jsonl", target="solution")
    assert len(load_examples(study, "openmath", "train").rows) == 3
    (asked,) = load_examples(study, "openmath", "eval").rows
    assert (asked.gold, asked.target) == (("1,072",), "\\boxed{1,072}")


@pytest.mark.parametrize("kind", [task.name for task in PAPERS])
def test_the_embedded_source_has_development_rows(tmp_path: Path, kind: str) -> None:
    """By default sixty rows of the split dev are there to choose a recipe by, none of them asked or learnt."""
    study = study_of(tmp_path, kind, eval_examples=200, train_examples=200)
    purposes: tuple[Purpose, ...] = ("train", "eval", "dev")
    asked = [{one.messages[1]["content"] for one in load_examples(study, kind, purpose).rows} for purpose in purposes]
    assert [len(one) for one in asked] == [200, 200, 60]
    assert len(set.union(*asked)) == 460


def test_a_fingerprint_is_that_of_what_the_examples_say() -> None:
    """The fingerprint is the SHA-256 over prompts, gold answers and targets in order; of none, over nothing."""
    said = json.dumps([list(EXAMPLE.messages), list(EXAMPLE.gold), EXAMPLE.target])
    assert fingerprint([EXAMPLE, EXAMPLE]) == hashlib.sha256((said + said).encode()).hexdigest()
    assert fingerprint([]) == hashlib.sha256().hexdigest()


@pytest.mark.parametrize(
    "change",
    [{"gold": ("B",)}, {"gold": ()}, {"target": "\\boxed{B}"}, {"messages": TASKS["arc"].prompt("Who?")}],
)
def test_a_fingerprint_changes_with_what_is_said(change: dict[str, Any]) -> None:
    """Another prompt, gold answer or target is another fingerprint; another id is not."""
    assert fingerprint([dataclasses.replace(EXAMPLE, **change)]) != fingerprint([EXAMPLE])
    assert fingerprint([dataclasses.replace(EXAMPLE, id="other")]) == fingerprint([EXAMPLE])


def test_a_fingerprint_knows_the_order() -> None:
    """The same examples in another order are another data set."""
    other = dataclasses.replace(EXAMPLE, target="\\boxed{B}")
    assert fingerprint([EXAMPLE, other]) != fingerprint([other, EXAMPLE])


def test_a_folder_is_read_by_split(tmp_path: Path) -> None:
    """Data may be a folder whose files are named after the splits they hold."""
    (tmp_path / "mine").mkdir()
    for split, rows in {"train": 3, "test": 2}.items():
        lines = [json.dumps({"problem": f"{split} {n}", "expected_answer": "1"}) for n in range(rows)]
        (tmp_path / "mine" / f"{split}.jsonl").write_text("\n".join(lines))
    study = study_of(tmp_path, data="mine")
    assert len(load_examples(study, "openmath", "train").rows) == 3
    assert len(load_examples(study, "openmath", "eval").rows) == 2


@pytest.mark.parametrize("names", [(), ("test.json", "test.csv")])
def test_a_folder_needs_one_file_a_split(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A folder with no file for a split, or two, is one line that names folder, split and what is there."""
    (tmp_path / "mine").mkdir()
    for name in names:
        (tmp_path / "mine" / name).touch()
    with pytest.raises(
        DataError, match=rf"mine must hold exactly one test file.*{'.*'.join(sorted(names)) or 'none'}$"
    ):
        load_examples(study_of(tmp_path, data="mine"), "openmath", "eval")


def test_a_loader_asks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation is loaded once; what fails to load fails again at once, each seed and purpose by itself."""
    asked: list[tuple[str, str, int]] = []
    real = data_module.load_examples

    def load(study: Study, task: str, purpose: Purpose, seed: int = 0) -> Examples:
        asked.append((task, purpose, seed))
        if purpose == "train":
            raise DataError(f"no hub for seed {seed}")
        return real(study, task, purpose, seed)

    monkeypatch.setattr(data_module, "load_examples", load)
    loader = Loader(study_of(tmp_path, "arc", data="embedded"))
    assert loader.evaluation("arc") is loader.evaluation("arc")
    for seed in (0, 0, 1, 1):
        with pytest.raises(DataError, match=f"no hub for seed {seed}"):
            loader.load("arc", "train", seed)
    assert asked == [("arc", "eval", 0), ("arc", "train", 0), ("arc", "train", 1)]


def test_a_fingerprint_is_read_once_and_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is looked for without its rows being read again; rows that change under a run are told."""
    reads: list[str] = []
    real = data_module.load_examples

    def load(study: Study, task: str, purpose: Purpose, seed: int = 0) -> Examples:
        reads.append(purpose)
        return real(study, task, purpose, seed)

    monkeypatch.setattr(data_module, "load_examples", load)
    write_jsonl(tmp_path / "rows.jsonl", MATHS)
    loader = Loader(study_of(tmp_path, data="rows.jsonl", eval_data="embedded"))
    first = loader.fingerprint("openmath", "train")
    assert loader.fingerprint("openmath", "train") == first
    assert reads.count("train") == 1
    assert loader.load("openmath", "train").fingerprint == first
    write_jsonl(tmp_path / "rows.jsonl", MATHS[2:])
    with pytest.raises(DataError, match="rows for train were changed while the run was under way"):
        loader.load("openmath", "train")


TICKETS = [{"ticket": n, "subject": "parcel", "body": f"where is {n}", "team": "shipping"} for n in range(4)]
TICKET = {
    "task": "classification",
    "data": "rows.jsonl",
    "system": "shipping or billing? Box it: \\boxed{}",
    "columns": {"text": "{subject}: {body}", "label": "team", "id": "ticket"},
}


def test_a_study_asks_rows_in_columns_of_their_own(tmp_path: Path) -> None:
    """The text is made of the columns that the study names, under the study's instruction."""
    write_jsonl(tmp_path / "rows.jsonl", TICKETS)
    first = load_examples(study_of(tmp_path, "route", **TICKET), "route", "eval").rows[0]
    assert (first.id, first.gold, first.target) == ("0", ("shipping",), "\\boxed{shipping}")
    assert first.messages == (
        {"role": "system", "content": TICKET["system"]},
        {"role": "user", "content": "parcel: where is 0"},
    )


def test_an_instruction_of_ones_own_takes_the_place_of_the_tasks(tmp_path: Path) -> None:
    """It changes what every example says, and so what identifies them."""
    own, other = (
        load_examples(study_of(tmp_path, "arc", data="embedded", **given), "arc", "eval")
        for given in ({}, {"system": "Which letter?"})
    )
    assert [one.messages[0]["content"] for one in other.rows] == ["Which letter?"] * 2
    assert [one.messages[1:] for one in own.rows] == [one.messages[1:] for one in other.rows]
    assert own.fingerprint != other.fingerprint


def test_a_column_that_a_row_lacks_is_named_with_its_row(tmp_path: Path) -> None:
    """The error says in which row of which file, and which key of the study names the column."""
    write_jsonl(tmp_path / "rows.jsonl", [TICKETS[0], {"ticket": 2, "subject": "x", "team": "y"}])
    with pytest.raises(
        DataError, match=r"rows\.jsonl, row 2: no column 'body', which columns\.text names \(it has: ticket, subject, "
    ):
        load_examples(study_of(tmp_path, "route", **TICKET), "route", "eval")


def broken(row: Any, style: str) -> Example:
    raise KeyError(f"{style} of {row['ticket']}\nand more")


@pytest.mark.parametrize(
    ("example", "said"),
    [
        (broken, r"fails at .*rows\.jsonl, row 1: KeyError: '.*' \(.*test_examples\.py:\d+\)$"),
        (lambda *_: None, r"makes of .*rows\.jsonl, row 1, NoneType, no Example and no LeftOut; see docs/tasks\.md$"),
        (lambda *_: dataclasses.replace(EXAMPLE, id=3), r"makes of .*, row 1, an Example whose id, target or group is"),
        (lambda *_: dataclasses.replace(EXAMPLE, gold="A"), r"makes of .*, row 1, an Example whose gold is no tuple"),
        (lambda *_: dataclasses.replace(EXAMPLE, messages=()), r"makes of .*, row 1, an Example whose messages are"),
    ],
)
def test_a_fault_in_a_packages_task_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: Any, said: str
) -> None:
    """What a package's task raises, or makes of a row that is no example, is told with its row before any training."""
    write_jsonl(tmp_path / "rows.jsonl", TICKETS)
    monkeypatch.setattr(TASKS["classification"], "example", example)
    monkeypatch.setattr(TASKS, "packages", lambda *_: {"own-task": "1"})
    with pytest.raises(TaskError, match=rf"^task 'classification' {said}") as caught:
        load_examples(study_of(tmp_path, "route", **TICKET), "route", "eval")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fails", ["parse", "score"])
def test_a_packages_parser_and_metrics_are_tried_beforehand(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they raise at the very answers that are taught is told before any training, with the row and the place."""

    def failing(*_: object) -> None:
        raise ZeroDivisionError("of nothing")

    write_jsonl(tmp_path / "rows.jsonl", TICKETS)
    monkeypatch.setattr(TASKS["classification"], fails, failing)
    monkeypatch.setattr(TASKS, "packages", lambda *_: {"own-task": "1"})
    said = r"fails at the answer that .*rows\.jsonl, row 1 teaches: ZeroDivisionError: of nothing \(.*py:\d+\)$"
    with pytest.raises(TaskError, match=said):
        load_examples(study_of(tmp_path, "route", **TICKET), "route", "eval")


def test_a_fault_of_tunescales_own_tasks_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task of TuneScale's raises comes through as it is."""
    write_jsonl(tmp_path / "rows.jsonl", TICKETS)
    monkeypatch.setattr(TASKS["classification"], "example", broken)
    with pytest.raises(KeyError):
        load_examples(study_of(tmp_path, "route", **TICKET), "route", "eval")
