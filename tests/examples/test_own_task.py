"""The example of a task of one's own: what it reads and scores, and its README's commands."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

import pytest

from tests.following import follow
from tunescale_core.errors import DataError
from tunescale_core.tasks.task import Answer, Example
from tunescale_core.tasks.whole import fault_of_task

TUNESCALE = "from tunescale_core.cli import app; app()"
EXAMPLE = Path(__file__).parents[2] / "examples" / "own-task"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """Return the example's module."""
    found = importlib.util.spec_from_file_location("ticket_fields", EXAMPLE / "ticket_fields.py")
    assert found is not None
    assert found.loader is not None
    loaded = importlib.util.module_from_spec(found)
    found.loader.exec_module(loaded)
    return loaded


def test_the_examples_task_is_whole(module: ModuleType) -> None:
    """It is what a package's task must be."""
    assert fault_of_task(module.Extraction(), "extraction") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"order": 1}', {"order": 1}),
        ('I think {"order": 1} or rather\n{"order": {"number": 2}} it is', {"order": {"number": 2}}),
        ('{not this} {"order": 1} {nor this', {"order": 1}),
        ("no object", None),
        ('{"a":' * 100_000, None),
        ("", None),
    ],
)
def test_the_last_object_is_read(module: ModuleType, text: str, said: dict[str, object] | None) -> None:
    """The last whole JSON object of an answer counts, with all that it holds."""
    found = module.Extraction().parse(text)
    assert (None if found is None else json.loads(found)) == said


def test_fields_are_scored_one_by_one(module: ModuleType) -> None:
    """Half the fields right is half, all and nothing else is right, and an unreadable answer is not."""
    task, gold = module.Extraction(), ('{"order": 1, "amount": 2}',)
    half, whole, more, none = (
        task.score(Answer(gold, said))
        for said in ('{"order": 1}', '{"amount": 2, "order": 1}', '{"amount": 2, "order": 1, "x": 3}', None)
    )
    assert half == {"field_accuracy": 0.5, "accuracy": 0.0, "parse_rate": 1.0}
    assert whole == {"field_accuracy": 1.0, "accuracy": 1.0, "parse_rate": 1.0}
    assert more == {"field_accuracy": 1.0, "accuracy": 0.0, "parse_rate": 1.0}
    assert none == {"field_accuracy": 0.0, "accuracy": 0.0, "parse_rate": 0.0}


def test_its_rows_are_asked(module: ModuleType) -> None:
    """A row's text is asked under the study's instruction, and its fields are taught."""
    found = module.Extraction().example({"id": 3, "text": "order 1", "fields": {"order": 1}}, "answer")
    assert isinstance(found, Example)
    assert (found.id, found.target) == ("3", '{"order": 1}')
    with pytest.raises(DataError, match=r"^columns 'text' and 'fields' must be"):
        module.Extraction().example({"id": 3, "text": "order 1"}, "answer")


@pytest.mark.slow
def test_the_readme_works_as_written(tmp_path: Path) -> None:
    """In an environment of its own the package is installed, its study runs, and its records are read again.

    Without the package a record of its task is one line that says what is missing.
    """
    folder = shutil.copytree(EXAMPLE, tmp_path / "own", ignore=shutil.ignore_patterns("*.egg-info", ".tunescale"))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PATH": f"{_beside(tmp_path)}{os.pathsep}{os.environ['PATH']}"}
    for name in ("PYTEST_ADDOPTS", "PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    printed = follow(folder, environment)
    assert len(printed) == 3
    assert "2 passed" in printed[1]
    full = next(line.split() for line in printed[1].splitlines() if line.startswith("small") and " full " in line)
    assert float(full[2]) > 0.9
    assert "commonest object for extraction" in printed[2]
    records = folder / ".tunescale" / "records" / "ticket-fields"
    record = json.loads((records / "small-base-for-extraction.json").read_text(encoding="utf-8"))
    assert record["provenance"]["versions"]["ticket-fields"] == "0.1.0"
    _without_the_package(records)


def _beside(folder: Path) -> Path:
    """Make an environment that has what this one has, and return the folder of its programs."""
    venv.create(folder / "env", with_pip=False, symlinks=True)
    (site,) = (folder / "env").glob("lib/python*/site-packages")
    here = {path for path in sys.path if path.endswith("site-packages")}
    lines = [f"import site; site.addsitedir({path!r})" for path in sorted(here)]
    (site / "beside.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    programs = folder / "env" / "bin"
    for name, started in (("pip", "-m pip"), ("pytest", "-m pytest"), ("tunescale", f"-c '{TUNESCALE}'")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{programs}/python" {started} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    return programs


def _without_the_package(records: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", TUNESCALE, "report", str(records)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 4
    assert told.stderr.startswith("tunescale: no task 'extraction'; known are arc, ")
    assert told.stderr.count("\n") == 1
