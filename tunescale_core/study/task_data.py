"""A study's tasks: which kind of question each is, how it is put, and where its rows come from."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from pydantic import Field

from tunescale_core.errors import TaskError
from tunescale_core.study.declared import Count, Declared, Whole
from tunescale_core.tasks import PAPERS, TASKS, Task
from tunescale_core.tasks.renamed import named_in

Purpose = Literal["train", "eval", "dev"]
"""What rows are for: to learn from, to be asked, or to choose a recipe by."""
EMBEDDED = "embedded"
FORMATS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}
"""What a file of rows may be, by how its name ends."""
OF_HUB = {
    "data": ("config", "revision", "train_split"),
    "eval_data": ("eval_config", "eval_revision"),
    "dev_data": ("dev_config", "dev_revision"),
}
"""What says which part of a data set is meant; a file is one part."""


class TaskData(Declared):
    """A task as the study asks it: where its rows come from, and how many are used."""

    task: str | None = None
    """Which task; the table's own name unless given."""
    data: str = "embedded"
    """A hub data set, `embedded`, or a path relative to the study file: a JSON, JSONL, CSV or Parquet file, or a
    folder of such files named after their splits."""
    config: str | None = None
    """The hub data set's configuration."""
    revision: str | None = None
    train_split: str = "train"
    eval_split: str = "test"
    eval_data: str | None = None
    """Other data for evaluation, where the first has no such split."""
    eval_config: str | None = None
    """The configuration of `eval_data`; `config` belongs to `data`."""
    eval_revision: str | None = None
    """Of `eval_data`; `revision` belongs to `data`."""
    skip: Whole = 0
    """Rows of `eval_split` passed over first: how a data set without a test split keeps rows apart."""
    dev_split: str | None = None
    """Rows by which a recipe is chosen; none are unless given, but the embedded source has a split `dev`."""
    dev_data: str | None = None
    """Other data for that, where the first has no such split."""
    dev_config: str | None = None
    """The configuration of `dev_data`."""
    dev_revision: str | None = None
    dev_skip: Whole = 0
    """Rows of `dev_split` passed over first."""
    target: Literal["answer", "solution"] = "answer"
    """What tuning teaches: the boxed answer, or the row's worked solution."""
    system: str | None = None
    """The instruction before every question; the task's own unless given. It says how an answer is to be boxed, and of
    a classification which labels there are."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Of the task's columns, what they are read from: one of the data's own, or a text with such in braces."""
    train_examples: Count | None = None
    eval_examples: Count | None = None
    dev_examples: Count | None = None


def check_task(name: str, data: TaskData) -> None:
    """Refuse what no rows could be asked by.

    Args:
        name: The task's name in the study.
        data: As the study declares it.

    Raises:
        ValueError: One line that names the key: there is no such task, it lacks an instruction or rows, the rows are at
            an address, or a column is read from nothing or by nobody.
    """
    try:
        task = TASKS[data.task or name]
    except TaskError as error:
        raise ValueError(f"tasks.{name}: {error} (key: task)") from error
    if not (data.system or task.system):
        raise ValueError(
            f"tasks.{name}.system: {task.name} has no instruction of its own; write one that says which answers "
            "there are, and to put one in \\boxed{}"
        )
    for key in ("data", "eval_data", "dev_data"):
        if "://" in (getattr(data, key) or ""):  # which may hold a password, and records keep it
            raise ValueError(f"tasks.{name}.{key}: give a hub data set, a file or a folder, no address")
    if EMBEDDED in {data.data, data.eval_data, data.dev_data} and task not in PAPERS:
        known = ", ".join(one.name for one in PAPERS)
        raise ValueError(f"tasks.{name}.data: the embedded source has rows of {known} alone; give a file or a data set")
    _check_parts(name, data)
    if data.target == "solution" and not task.teaches_solutions:
        raise ValueError(f"tasks.{name}.target: a row of {task.name} has no worked solution; leave it out")
    for column, source in data.columns.items():
        _check_column(f"tasks.{name}.columns.{column}", task, column, source)


def _check_parts(name: str, data: TaskData) -> None:
    """Refuse a part of what has none: a split of a file would be all of it."""
    for source, keys in OF_HUB.items():
        path = getattr(data, source) or ""
        own = (*keys, "eval_split") if source == ("eval_data" if data.eval_data else "data") else keys
        said = [key for key in own if key in data.model_fields_set]
        if said and PurePath(path).suffix in FORMATS:
            raise ValueError(f"tasks.{name}.{said[0]}: {source} is a file, which has no such part; leave it out")


def _check_column(where: str, task: Task, column: str, source: str) -> None:
    if column not in task.columns:
        raise ValueError(f"{where}: {task.name} reads no such column; it reads {', '.join(task.columns) or 'none'}")
    try:
        named_in(source)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
