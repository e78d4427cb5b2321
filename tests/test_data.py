"""Where examples come from: files in every format, the embedded world, and what identifies them."""

import csv
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tunescale_core.data import embedded_rows, fingerprint, load_examples, read_file, rows_of
from tunescale_core.embedded.splits import Split
from tunescale_core.errors import DataError
from tunescale_core.study import Study, TaskData
from tunescale_core.tasks import TASKS, Example

ROWS = [
    {"problem": f"What is {n} + 1?", "generated_solution": f"\\boxed{{{n + 1}}}", "expected_answer": answer}
    for n, answer in enumerate(["1", "x", "3", "4/2", "1,234"])
]
NESTED = {
    "version": "v2.0",
    "data": [
        {
            "title": "Mills",
            "paragraphs": [
                {
                    "context": "Mara works at the mill.",
                    "qas": [
                        {"id": "1", "question": "Where?", "answers": [{"text": "the mill", "answer_start": 14}]},
                        {"id": "2", "question": "Why?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        },
        {"paragraphs": [{"context": "Odo plays.", "qas": [{"id": "3", "question": "Who?", "answers": []}]}]},
    ],
}
EXAMPLE = Example("q", TASKS["arc"].prompt("Which?"), ("A",), "\\boxed{A}")


def write_json(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("\n\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: list[dict[str, str]]) -> None:
    parquet.write_table(pa.Table.from_pylist(rows), path)


WRITERS: dict[str, Callable[[Path, list[dict[str, str]]], None]] = {
    "json": write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}


def study_of(folder: Path, **data: Any) -> Study:
    return Study.model_validate(
        {
            "study": {"name": "s", "train_examples": 3, "eval_examples": 2},
            "models": {"m": {"source": "embedded:mini-small"}},
            "tasks": {"openmath": data},
            "folder": folder,
        }
    )


def firsts(rows: Iterable[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return list(islice(rows, count))


def prompts(kind: str, rows: list[dict[str, Any]]) -> set[str]:
    examples = [TASKS[kind].example(row, "answer") for row in rows]
    return {example.messages[1]["content"] for example in examples if example}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    """JSON, JSONL, CSV and Parquet files of the same rows read alike."""
    path = tmp_path / f"rows.{suffix}"
    WRITERS[suffix](path, ROWS)
    assert list(read_file(path)) == ROWS


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=10) | st.integers() | st.none()), max_size=5))
def test_json_rows_come_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """Any list of objects reads back from JSON as it was written."""
    path = tmp_path_factory.mktemp("json") / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    assert list(read_file(path)) == rows


def test_rows_under_a_data_key_are_read(tmp_path: Path) -> None:
    """A JSON object whose `data` lists plain rows gives those rows, and a lone object is one row."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"data": ROWS}), encoding="utf-8")
    assert list(read_file(path)) == ROWS
    path.write_text(json.dumps(ROWS[0]), encoding="utf-8")
    assert list(read_file(path)) == ROWS[:1]


def test_squads_nested_layout_is_flattened(tmp_path: Path) -> None:
    """Every question of every paragraph becomes a row in the columns of the hub's data set."""
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(NESTED), encoding="utf-8")
    rows = list(read_file(path))
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert rows[0] == {
        "id": "1",
        "title": "Mills",
        "context": "Mara works at the mill.",
        "question": "Where?",
        "answers": {"text": ["the mill"], "answer_start": [14]},
    }
    assert rows[1]["answers"] == {"text": [], "answer_start": []}
    examples = [TASKS["squad_v2"].example(row, "answer") for row in rows]
    assert [example.gold for example in examples if example] == [("the mill",), (), ()]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", b"{broken"),
        ("rows.json", b"[1, 2]"),
        ("rows.json", b'"text"'),
        ("rows.json", b"\xff\xfe\xff"),
        ("rows.jsonl", b'{"a": 1}\n{"a": '),
        ("rows.csv", b""),
        ("rows.parquet", b"no parquet"),
        ("rows.parquet", b""),
    ],
)
def test_a_file_that_is_not_of_its_format_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """A broken file raises an error that names it and its format."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} cannot be read as {name.rpartition('.')[2]}"):
        list(read_file(tmp_path / name))


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_missing_file_is_named(tmp_path: Path, suffix: str) -> None:
    """A file that does not exist raises an error with its path."""
    with pytest.raises(DataError, match=rf"none\.{suffix} does not exist"):
        read_file(tmp_path / f"none.{suffix}")


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_study_reads_a_file_of_its_own(tmp_path: Path, suffix: str) -> None:
    """Rows without a usable answer are counted as left out, and reading stops at the number asked for."""
    WRITERS[suffix](tmp_path / f"rows.{suffix}", ROWS)
    loaded = load_examples(study_of(tmp_path, data=f"rows.{suffix}"), "openmath", "train")
    assert [example.gold for example in loaded.rows] == [("1",), ("3",), ("4/2",)]
    assert loaded.left_out == 1
    assert loaded.fingerprint == fingerprint(loaded.rows)


def test_evaluation_skips_rows_that_training_does_not(tmp_path: Path) -> None:
    """`skip` passes over the first rows of the evaluation split alone."""
    write_json(tmp_path / "rows.json", ROWS)
    data = TaskData(data="rows.json", skip=3)
    assert list(rows_of(data, "openmath", "eval", tmp_path)) == ROWS[3:]
    assert list(rows_of(data, "openmath", "train", tmp_path)) == ROWS


def test_evaluation_can_have_a_source_of_its_own(tmp_path: Path) -> None:
    """`eval_data` is read for evaluation and `data` for training."""
    write_json(tmp_path / "train.json", ROWS[:2])
    write_jsonl(tmp_path / "eval.jsonl", ROWS[2:])
    data = TaskData(data="train.json", eval_data="eval.jsonl")
    assert list(rows_of(data, "openmath", "train", tmp_path)) == ROWS[:2]
    assert list(rows_of(data, "openmath", "eval", tmp_path)) == ROWS[2:]


def test_a_tasks_own_numbers_override_the_studys(tmp_path: Path) -> None:
    """`eval_examples` of a task holds where given, the study's elsewhere."""
    study = study_of(tmp_path, data="embedded", eval_examples=5)
    assert len(load_examples(study, "openmath", "eval").rows) == 5
    assert len(load_examples(study, "openmath", "train").rows) == 3


def test_a_source_without_usable_rows_is_an_error(tmp_path: Path) -> None:
    """Where no row can be asked, the error names task, source and purpose."""
    write_json(tmp_path / "rows.json", [ROWS[1]])
    with pytest.raises(DataError, match=r"task openmath: rows\.json has no usable rows for eval"):
        load_examples(study_of(tmp_path, data="rows.json"), "openmath", "eval")


def test_a_row_without_its_columns_is_an_error(tmp_path: Path) -> None:
    """A row of another data set raises an error that names the missing column."""
    write_json(tmp_path / "rows.json", [{"question": "Why?"}])
    with pytest.raises(DataError, match="expected_answer"):
        load_examples(study_of(tmp_path, data="rows.json"), "openmath", "train")


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


@pytest.mark.parametrize("kind", TASKS)
def test_embedded_rows_ask_no_question_twice(kind: str) -> None:
    """Among many embedded rows no two make the same prompt, and each can be asked and is taught rightly."""
    rows = firsts(embedded_rows(kind, "train", 0), 400)
    examples = [example for row in rows if (example := TASKS[kind].example(row, "answer"))]
    assert len(prompts(kind, rows)) == len(examples) == 400
    assert all(TASKS[kind].parse(example.target) is not None for example in examples)


@pytest.mark.parametrize("kind", TASKS)
def test_embedded_splits_are_disjoint(kind: str) -> None:
    """No prompt of one split is met in another, whatever the seeds."""
    splits: tuple[Split, ...] = ("train", "dev", "test")
    asked = [prompts(kind, firsts(embedded_rows(kind, split, seed), 300)) for seed, split in enumerate(splits)]
    assert len(set.union(*asked)) == sum(map(len, asked)) == 900


@pytest.mark.parametrize("kind", TASKS)
def test_embedded_rows_depend_on_the_seed_alone(kind: str) -> None:
    """The same seed gives the same rows in the same order, another seed other ones."""
    first, again, other = (firsts(embedded_rows(kind, "train", seed), 20) for seed in (1, 1, 2))
    assert first == again != other


def test_a_study_evaluates_embedded_rows_it_does_not_train_on(tmp_path: Path) -> None:
    """By default the embedded source trains on its train split and evaluates on its test split."""
    data = TaskData()
    asked = {row["problem"] for row in firsts(rows_of(data, "openmath", "train", tmp_path), 300)}
    evaluated = firsts(rows_of(data, "openmath", "eval", tmp_path), 200)
    assert evaluated == firsts(embedded_rows("openmath", "test", 0), 200)
    assert not asked & {row["problem"] for row in evaluated}


def test_an_unknown_embedded_split_is_refused() -> None:
    """A mistyped split never falls back on training rows."""
    with pytest.raises(DataError, match="no split 'tset'"):
        rows_of(TaskData(eval_split="tset"), "arc", "eval", Path())


def test_numeric_csv_columns_stay_text(tmp_path: Path) -> None:
    """A CSV of plain numbers gives the text that tasks read."""
    path = tmp_path / "rows.csv"
    path.write_text("problem,expected_answer\nhi,3\n", encoding="utf-8")
    assert list(read_file(path)) == [{"problem": "hi", "expected_answer": "3"}]


def test_malformed_squad_layout_is_a_data_error(tmp_path: Path) -> None:
    """A question without its answers key is named with its file, not thrown as a bare KeyError."""
    path = tmp_path / "dev.json"
    path.write_text('{"data": [{"paragraphs": [{"context": "c", "qas": [{"id": 1, "question": "q"}]}]}]}')
    with pytest.raises(DataError, match=r"dev\.json"):
        list(read_file(path))


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
