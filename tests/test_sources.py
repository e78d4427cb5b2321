"""Where rows come from: files in every format, folders, the hub, and the embedded world."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.files import MATHS, WRITERS, write_json, write_jsonl
from tunescale_core.embedded.splits import Split
from tunescale_core.errors import DataError
from tunescale_core.sources import Purpose, embedded_rows, has_dev, read_file, source_of
from tunescale_core.study import TaskData
from tunescale_core.tasks import TASKS, Example

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


def firsts(rows: Iterable[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return list(islice(rows, count))


def prompts(kind: str, rows: list[dict[str, Any]]) -> set[str]:
    examples = [TASKS[kind].example(row, "answer") for row in rows]
    return {example.messages[1]["content"] for example in examples if isinstance(example, Example)}


def rows(data: TaskData, kind: str, purpose: Purpose, folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in source_of(data, kind, purpose, folder).numbered()]


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    """JSON, JSONL, CSV and Parquet files of the same rows read alike."""
    path = tmp_path / f"rows.{suffix}"
    WRITERS[suffix](path, MATHS)
    assert list(read_file(path)) == MATHS


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
    path.write_text(json.dumps({"data": MATHS}), encoding="utf-8")
    assert list(read_file(path)) == MATHS
    path.write_text(json.dumps(MATHS[0]), encoding="utf-8")
    assert list(read_file(path)) == MATHS[:1]


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
    assert [example.gold for example in examples if isinstance(example, Example)] == [("the mill",), (), ()]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", b"{broken"),
        ("rows.json", b'[\n{"a": 1},\n{"a": }\n]'),
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


def test_evaluation_skips_rows_that_training_does_not(tmp_path: Path) -> None:
    """`skip` passes over the first rows of the evaluation split alone."""
    write_json(tmp_path / "rows.json", MATHS)
    data = TaskData(data="rows.json", skip=3)
    assert rows(data, "openmath", "eval", tmp_path) == MATHS[3:]
    assert rows(data, "openmath", "train", tmp_path) == MATHS


def test_evaluation_can_have_a_source_of_its_own(tmp_path: Path) -> None:
    """`eval_data` is read for evaluation and `data` for training."""
    write_json(tmp_path / "train.json", MATHS[:2])
    write_jsonl(tmp_path / "eval.jsonl", MATHS[2:])
    data = TaskData(data="train.json", eval_data="eval.jsonl")
    assert rows(data, "openmath", "train", tmp_path) == MATHS[:2]
    assert rows(data, "openmath", "eval", tmp_path) == MATHS[2:]


@pytest.mark.parametrize("kind", TASKS)
def test_embedded_rows_ask_no_question_twice(kind: str) -> None:
    """Among many embedded rows no two make the same prompt, and each can be asked and is taught rightly."""
    rows = firsts(embedded_rows(kind, "train", 0), 400)
    examples = [TASKS[kind].example(row, "answer") for row in rows]
    assert len(prompts(kind, rows)) == len(examples) == 400
    assert all(TASKS[kind].parse(one.target) is not None for one in examples if isinstance(one, Example))


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
    asked = {row["problem"] for row in firsts(source_of(data, "openmath", "train", tmp_path).rows, 300)}
    evaluated = firsts(source_of(data, "openmath", "eval", tmp_path).rows, 200)
    assert evaluated == firsts(embedded_rows("openmath", "test", 0), 200)
    assert not asked & {row["problem"] for row in evaluated}


def test_an_unknown_embedded_split_is_refused() -> None:
    """A mistyped split never falls back on training rows."""
    with pytest.raises(DataError, match="no split 'tset'"):
        source_of(TaskData(eval_split="tset"), "arc", "eval", Path())


def test_numeric_csv_columns_stay_text(tmp_path: Path) -> None:
    """A CSV of plain numbers gives the text that tasks read."""
    path = tmp_path / "rows.csv"
    path.write_text("problem,expected_answer\nhi,3\n", encoding="utf-8")
    assert list(read_file(path)) == [{"problem": "hi", "expected_answer": "3"}]


@pytest.mark.parametrize(
    ("questions", "fault"),
    [
        ([{"id": 1, "question": "q", "answers": []}, {"id": 2, "question": "q"}], r"row 2 .* KeyError: 'answers'$"),
        ([{"id": 1, "question": "q", "answers": ["a"]}], r"row 1 .* TypeError: "),
        (None, "'qas'$"),
    ],
)
def test_malformed_squad_layout_is_a_data_error(tmp_path: Path, questions: list[Any] | None, fault: str) -> None:
    """A question without its answers key is named with file and row, not thrown as a bare KeyError."""
    path = tmp_path / "dev.json"
    paragraph = {"context": "c"} if questions is None else {"context": "c", "qas": questions}
    path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    with pytest.raises(DataError, match=rf"^data file .*dev\.json cannot be read as json: .*{fault}"):
        list(read_file(path))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"a": 1}\n\n{"a": ', "row 2 (line 3) is not JSON: Expecting value at column 7"),
        ('{"a": 1}\n[2]\n', "row 2 is list, not an object"),
        ('{"a": \n{"a": 1}', "JSONDecodeError: "),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, content: str, fault: str) -> None:
    """A line that is no JSON object is named by row and line, not by its place within itself."""
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=re.escape(f"rows.jsonl cannot be read as jsonl: {fault}")):
        list(read_file(path))


@pytest.mark.parametrize("mark", ["\u2028", "\x85"])
def test_only_a_newline_ends_a_row(tmp_path: Path, mark: str) -> None:
    """Characters that Unicode calls line ends stand within texts of real data and end no row."""
    path = tmp_path / "rows.jsonl"
    written = [{"problem": f"one{mark}two"}, {"problem": "three"}]
    lines = [json.dumps(row, ensure_ascii=False) for row in written]
    path.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    assert mark in lines[0]
    assert list(read_file(path)) == written


def test_a_byte_order_mark_is_no_part_of_the_data(tmp_path: Path) -> None:
    """JSON as some editors write it, with a mark before it, is read."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(MATHS), encoding="utf-8-sig")
    assert list(read_file(path)) == MATHS


def test_rows_are_numbered_from_the_sources_first(tmp_path: Path) -> None:
    """A row's number counts the rows that were skipped."""
    write_json(tmp_path / "rows.json", MATHS)
    source = source_of(TaskData(data="rows.json", skip=3), "openmath", "eval", tmp_path)
    assert list(source.numbered()) == [(4, MATHS[3]), (5, MATHS[4])]


class Hub:
    """A hub that serves nothing and remembers what was asked of it."""

    hash = "c" * 40

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, str, str | None]] = []

    def load(self, name: str, config: str | None, *, revision: str | None) -> Hub:
        """Stand in for `datasets.load_dataset_builder`."""
        self.wanted = name, config, revision
        return self

    def download_and_prepare(self) -> None:
        """Stand in for the builder's."""

    def as_dataset(self, *, split: str) -> list[dict[str, Any]]:
        """Stand in for the builder's."""
        name, config, revision = self.wanted
        self.asked.append((name, config, split, revision))
        return []


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Return a hub in the place of the real one."""
    import datasets

    made = Hub()
    monkeypatch.setattr(datasets, "load_dataset_builder", made.load)
    return made


MATHS_HUB = {"data": "nvidia/OpenMathInstruct-2", "config": "c", "revision": "r", "train_split": "train_1M"}


@pytest.mark.parametrize(
    ("declared", "purpose", "asked"),
    [
        ({}, "train", ("nvidia/OpenMathInstruct-2", "c", "train_1M", "r")),
        ({}, "eval", ("nvidia/OpenMathInstruct-2", "c", "test", "r")),
        ({"eval_config": "d"}, "eval", ("nvidia/OpenMathInstruct-2", "d", "test", "r")),
        (
            {"eval_data": "openai/gsm8k", "eval_config": "main"},
            "train",
            ("nvidia/OpenMathInstruct-2", "c", "train_1M", "r"),
        ),
        ({"eval_data": "openai/gsm8k", "eval_config": "main"}, "eval", ("openai/gsm8k", "main", "test", None)),
        ({"eval_data": "openai/gsm8k"}, "eval", ("openai/gsm8k", None, "test", None)),
        ({"dev_split": "validation"}, "dev", ("nvidia/OpenMathInstruct-2", "c", "validation", "r")),
        (
            {"dev_data": "openai/gsm8k", "dev_config": "main", "dev_split": "train"},
            "dev",
            ("openai/gsm8k", "main", "train", None),
        ),
        (
            {"eval_data": "openai/gsm8k", "eval_config": "main", "eval_revision": "e"},
            "eval",
            ("openai/gsm8k", "main", "test", "e"),
        ),
        ({"dev_data": "openai/gsm8k", "dev_revision": "d", "dev_split": "s"}, "dev", ("openai/gsm8k", None, "s", "d")),
    ],
)
def test_each_purpose_asks_the_hub_for_its_own(
    hub: Hub, tmp_path: Path, declared: dict[str, Any], purpose: Purpose, asked: tuple[str, ...]
) -> None:
    """Configuration and revision belong to the data set they are declared for and go to no other."""
    source = source_of(TaskData(**(MATHS_HUB | declared)), "openmath", purpose, tmp_path)
    assert hub.asked == [asked]
    assert source.name == f"data set {asked[0]} ({asked[1] or 'default'}, split {asked[2]})"
    assert source.origin == f"{asked[0]}@{hub.hash}"


@pytest.mark.parametrize(
    ("declared", "has"),
    [
        ({}, True),
        ({"data": "rows.json"}, False),
        ({"data": "rows.json", "dev_split": "dev"}, True),
        ({"data": "rows.json", "dev_data": "dev.json"}, True),
        ({"data": "rows.json", "dev_data": "a/b"}, False),
        ({"data": "rows.json", "dev_data": "embedded"}, True),
        ({"data": "embedded", "dev_data": "folder"}, False),
    ],
)
def test_development_rows_are_declared_or_embedded(tmp_path: Path, declared: dict[str, Any], *, has: bool) -> None:
    """Only the embedded source has a development split of itself, and without one the error says what to give."""
    data = TaskData(**declared)
    assert has_dev(data) is has
    if not has:
        with pytest.raises(DataError, match=r"a search for a learning rate needs dev_split"):
            source_of(data, "arc", "dev", tmp_path)
