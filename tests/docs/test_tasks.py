"""The page on tasks says what the tasks are, and its study files are valid."""

import re
import tomllib
from pathlib import Path

import pytest

from tunescale_core.results.pair import TESTS
from tunescale_core.study.study import Study
from tunescale_core.tasks import TASKS
from tunescale_core.tasks.installed import GROUP

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_says_what_each_task_reads_and_measures() -> None:
    """Each task that comes with TuneScale has its row: columns, metrics in order, and the trivial rule."""
    rows = [cells(line) for line in PAGE.splitlines() if re.match(r"\| `\w+` \| `\w+`, ", line)]
    assert [row[0].strip("`") for row in rows] == list(TASKS)
    for name, columns, _, metrics, trivial in rows:
        task = TASKS[name.strip("`")]
        assert tuple(re.findall(r"`(\w+)`", columns)) == task.columns
        assert re.findall(r"`(\w+)`", metrics) == [metric.name for metric in task.metrics]
        assert trivial == task.trivial_rule


def test_its_tasks_are_valid() -> None:
    """The tables of tasks that it shows make a study."""
    (shown,) = [block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "[tasks." in block]
    content = tomllib.loads(shown)
    study = Study.model_validate({"study": {"name": "s"}, "models": {"m": {"source": "a/b"}}, **content})
    assert set(study.tasks) == {"route", "policy"}


def test_every_law_is_explained() -> None:
    """The table of laws has each, and no other."""
    laws = re.findall(r"^\| `(\w+)`(?: \(the default\))? \| (?:right|a )", PAGE, re.MULTILINE)
    assert sorted(laws) == sorted(TESTS)


@pytest.mark.parametrize("path", ["docs/tasks.md", "examples/own-task/README.md"])
def test_the_entry_point_is_the_examples(path: str) -> None:
    """The entry point that is shown is what the example declares."""
    text = (ROOT / path).read_text(encoding="utf-8")
    declared = tomllib.loads((ROOT / "examples/own-task/pyproject.toml").read_text(encoding="utf-8"))
    shown = next(block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if GROUP in block)
    assert tomllib.loads(shown)["project"]["entry-points"] == declared["project"]["entry-points"]
