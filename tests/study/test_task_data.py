"""A study's tasks: what is asked, how it is put, and what is refused before anything starts."""

from typing import Any

import pytest

from tunescale_core.data.sources import embedded_rows
from tunescale_core.embedded.splits import SHARES
from tunescale_core.study.task_data import TaskData, check_task
from tunescale_core.tasks import PAPERS, TASKS

OWN = {"task": "classification", "data": "a.jsonl", "eval_data": "b.jsonl", "system": "billing or access?"}


@pytest.mark.parametrize("name", [task.name for task in PAPERS])
def test_the_papers_tasks_need_nothing_more(name: str) -> None:
    """They have an instruction of their own, and the embedded source has rows of each."""
    check_task(name, TaskData())
    assert next(iter(embedded_rows(name, next(iter(SHARES)), 0)))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"columns": {"text": "{subject}: {body}", "label": "team", "id": "ticket", "group": "customer"}},
        {"task": "short_answer", "system": None, "columns": {"answer": "{total}"}},
        {"task": "openmath", "system": None, "columns": {"problem": "q", "expected_answer": "a"}},
        {"data": "some/set", "config": "main", "train_split": "a"},
        {"task": "arc", "data": "embedded", "eval_data": None, "system": "Which letter?"},
    ],
)
def test_rows_of_ones_own_can_be_asked(changed: dict[str, Any]) -> None:
    """A task of TuneScale's can be put in other words and read other columns."""
    check_task("mine", TaskData(**{**OWN, **changed}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"task": "chess"}, "tasks.mine: no task 'chess'; known are arc"),
        ({"task": None}, "tasks.mine: no task 'mine'; known are arc"),
        ({"system": None}, "tasks.mine.system: classification has no instruction of its own; write one"),
        ({"data": "embedded"}, "tasks.mine.data: the embedded source has rows of arc, openmath, squad_v2 alone"),
        ({"eval_data": "embedded"}, "tasks.mine.data: the embedded source has rows of arc"),
        ({"dev_data": "embedded"}, "tasks.mine.data: the embedded source has rows of arc"),
        (
            {"data": "https://me:secret@example.org/a.jsonl"},
            "tasks.mine.data: give a hub data set, a file or a folder, ",
        ),
        (
            {"eval_data": "s3://rows/b.parquet"},
            "tasks.mine.eval_data: give a hub data set, a file or a folder, no addr",
        ),
        ({"dev_data": "http://example.org/"}, "tasks.mine.dev_data: give a hub data set, a file or a folder, no addr"),
        ({"train_split": "a"}, "tasks.mine.train_split: data is a file, which has no such part; leave it out"),
        ({"eval_split": "a"}, "tasks.mine.eval_split: eval_data is a file, which has no such part; leave it out"),
        ({"eval_data": None, "eval_split": "a"}, "tasks.mine.eval_split: data is a file, which has no such part"),
        ({"revision": "v9"}, "tasks.mine.revision: data is a file, which has no such part; leave it out"),
        ({"columns": {"lable": "team"}}, "tasks.mine.columns.lable: classification reads no such column; it reads id"),
        ({"columns": {"text": "{a.b}"}}, "tasks.mine.columns.text: braces hold a column's name and nothing else"),
        ({"columns": {"text": "{a"}}, "tasks.mine.columns.text: "),
    ],
)
def test_what_no_row_could_be_asked_by_is_refused(changed: dict[str, Any], said: str) -> None:
    """The line names the key, and what there is instead."""
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        check_task("mine", TaskData(**{**OWN, **changed}))
    assert str(caught.value).startswith(said)
    assert "secret" not in str(caught.value)


def test_every_task_that_reads_columns_names_them_once() -> None:
    """No task lists a column twice, and each reads some."""
    for task in TASKS.values():
        assert task.columns
        assert len(set(task.columns)) == len(task.columns)
