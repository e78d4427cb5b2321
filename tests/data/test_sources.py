"""Where rows come from: files in every format, folders, the hub, and the embedded world."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from tests.files import MATHS, write_json, write_jsonl
from tunescale_core.data.sources import Purpose, embedded_rows, has_dev, source_of
from tunescale_core.embedded.splits import Split
from tunescale_core.errors import DataError
from tunescale_core.study.task_data import TaskData
from tunescale_core.tasks import PAPERS, TASKS, Example


def firsts(rows: Iterable[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return list(islice(rows, count))


def prompts(kind: str, rows: list[dict[str, Any]]) -> set[str]:
    examples = [TASKS[kind].example(row, "answer") for row in rows]
    return {example.messages[1]["content"] for example in examples if isinstance(example, Example)}


def rows(data: TaskData, kind: str, purpose: Purpose, folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in source_of(data, kind, purpose, folder).numbered()]


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


@pytest.mark.parametrize("kind", [task.name for task in PAPERS])
def test_embedded_rows_ask_no_question_twice(kind: str) -> None:
    """Among many embedded rows no two make the same prompt, and each can be asked and is taught rightly."""
    rows = firsts(embedded_rows(kind, "train", 0), 400)
    examples = [TASKS[kind].example(row, "answer") for row in rows]
    assert len(prompts(kind, rows)) == len(examples) == 400
    assert all(TASKS[kind].parse(one.target) is not None for one in examples if isinstance(one, Example))


@pytest.mark.parametrize("kind", [task.name for task in PAPERS])
def test_embedded_splits_are_disjoint(kind: str) -> None:
    """No prompt of one split is met in another, whatever the seeds."""
    splits: tuple[Split, ...] = ("train", "dev", "test")
    asked = [prompts(kind, firsts(embedded_rows(kind, split, seed), 300)) for seed, split in enumerate(splits)]
    assert len(set.union(*asked)) == sum(map(len, asked)) == 900


@pytest.mark.parametrize("kind", [task.name for task in PAPERS])
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
        self.rows = Dataset.from_list([])

    def load(self, name: str, config: str | None, *, revision: str | None) -> Hub:
        """Stand in for `datasets.load_dataset_builder`."""
        self.wanted = name, config, revision
        return self

    def download_and_prepare(self) -> None:
        """Stand in for the builder's."""

    def as_dataset(self, *, split: str) -> Dataset:
        """Stand in for the builder's."""
        name, config, revision = self.wanted
        self.asked.append((name, config, split, revision))
        return self.rows


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


def test_the_hubs_labels_are_their_names(hub: Hub, tmp_path: Path) -> None:
    """A data set that keeps labels as numbers gives their names, and nothing where it keeps the label to itself."""
    kinds = Features({"text": Value("string"), "label": ClassLabel(names=["world", "sports"])})
    hub.rows = Dataset.from_dict({"text": ["a", "b", "c", "d"], "label": [1, 0, -1, None]}, features=kinds)
    source = source_of(TaskData(data="some/news"), "classification", "train", tmp_path)
    assert [(number, row["text"], row["label"]) for number, row in source.numbered()] == [
        (1, "a", "sports"),
        (2, "b", "world"),
        (3, "c", None),
        (4, "d", None),
    ]


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
