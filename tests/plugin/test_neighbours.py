"""The plugin in a project with tests, fixtures and plugins of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tunescale_core.records.files import read_all

STUDY = """
[study]
name = "own"
train_examples = 16
eval_examples = 2
[models.m]
source = "embedded:mini-small"
[methods.lora]
ranks = [2]
[tasks.arc]
[protocol]
max_new_tokens = 2
[[findings]]
key = "Q1"
verdict = "supported"
"""
CELLS = """
def test_cell(measure, thresholds):
    thresholds(measure())
"""
COMMON = """
import pytest

@pytest.fixture
def bench():
    return {}

@pytest.fixture
def subject():
    return ""
"""
MOVING = """
import pytest

@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a project whose tests and study lie in folders of their own."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"study.toml": STUDY, "test_cells.py": CELLS}.items():
        Path("evals").mkdir(exist_ok=True)
        Path("evals", name).write_text(text)

    def ran(*words: str, cwd: str = ".") -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        environment.pop("PYTEST_ADDOPTS", None)
        command = [sys.executable, "-m", "pytest", *words]
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    return ran


OWN = {
    "parametrized": """
import pytest

@pytest.fixture
def thresholds():
    return {"A1": 1}

@pytest.mark.parametrize("cell", ["A1"])
def test_sheet(cell, thresholds):
    assert thresholds[cell] == 1
""",
    "fixture": """
import pytest

@pytest.fixture
def cell():
    return "A1"

@pytest.fixture
def measure(cell):
    return len(cell)

def test_sheet(cell, measure):
    assert (cell, measure) == ("A1", 2)
""",
    "findings": """
import pytest

@pytest.fixture
def expected_finding():
    return 1

def test_sheet(expected_finding):
    assert expected_finding == 1
""",
}


@pytest.mark.parametrize("kind", OWN)
def test_names_of_another_suite_are_its_own(kind: str, run: Run) -> None:
    """A `cell`, `measure`, `thresholds` or `expected_finding` that a project has already is not taken for ours."""
    Path("test_own.py").write_text(OWN[kind])
    done = run("-q", "test_own.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_fixtures_of_common_names_do_not_replace_ours(run: Run) -> None:
    """A project's own `bench` and `subject` leave the study's cells as they are."""
    Path("conftest.py").write_text(COMMON)
    done = run("--study", "evals/study.toml", "-q", "-k", "m-base-for-arc", "evals")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_test_that_changes_its_folder_leaves_the_store_where_it_is(run: Run) -> None:
    """What a run keeps lies below the folder it was started in, and is found there by the next."""
    Path("conftest.py").write_text(MOVING)
    done = run("--study", "evals/study.toml", "-q", "-k", "m-base-for-arc", "evals")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one.cell for one in read_all(Path(".tunescale/records/own"))] == ["m-base-for-arc"]
    assert "records: .tunescale/records/own" in done.stdout


def test_the_marker_selects_what_is_the_studys(run: Run) -> None:
    """`-m tunescale` is the cells, `-m "not tunescale"` all else."""
    Path("test_own.py").write_text("def test_own():\n    pass\n")
    ours = run("--study", "evals/study.toml", "-q", "--co", "-m", "tunescale")
    assert [line for line in ours.stdout.splitlines() if "::" in line] == [
        "evals/test_cells.py::test_cell[m-lora-r2-on-arc-for-arc]",
        "evals/test_cells.py::test_cell[m-base-for-arc]",
        "findings::Q1",
    ]
    others = run("--study", "evals/study.toml", "-q", "--co", "-m", "not tunescale")
    assert [line for line in others.stdout.splitlines() if "::" in line] == ["test_own.py::test_own"]


@pytest.mark.parametrize("order", ["--nf", "--ff"])
def test_what_asks_for_records_stays_behind_what_makes_them(order: str, run: Run) -> None:
    """However a project has its tests sorted, findings and gates come after the cells."""
    words = ("--study", "evals/study.toml", "-q", "--co", "--save-baseline", "main", "evals")
    run(*words)  # a cache of what was there before makes findings and gates look new, or failed
    done = run(*words, order)
    found = [line for line in done.stdout.splitlines() if "::" in line]
    assert [line.split("::")[0] for line in found] == ["evals/test_cells.py", "evals/test_cells.py", "findings", "gate"]


def test_a_project_names_its_study_once(run: Run) -> None:
    """`tunescale_study` in the project's configuration is a study, found from the root whatever folder a run starts in.

    Where no cell is collected it is not even read.
    """
    Path("pytest.ini").write_text("[pytest]\ntunescale_study = evals/study.toml\n")
    done = run("-q", "--co", ".", cwd="evals")
    assert "test_cell[m-base-for-arc]" in done.stdout, done.stdout + done.stderr
    Path("evals/study.toml").write_text("broken")
    Path("test_own.py").write_text("def test_own():\n    pass\n")
    assert run("-q", "test_own.py").returncode == 0
    done = run("-q", "evals")
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "evals/study.toml" in done.stdout
    Path("evals/study.toml").unlink()
    assert f"study file {Path('evals/study.toml').resolve()} does not exist" in run("-q", "evals").stdout


def test_a_case_that_another_plugin_fails_leaves_a_record(run: Run) -> None:
    """What ends a case by pytest's own failure, as a limit on time does, is in its record."""
    Path("conftest.py").write_text(
        "import pytest\nfrom tunescale_core.measuring.asking import Asker\n\n"
        "def ended(*_):\n    pytest.fail('Timeout (>8.0s) from pytest-timeout.')\n\nAsker.ask = ended\n"
    )
    assert run("--study", "evals/study.toml", "-q", "-k", "m-base-for-arc", "evals").returncode == 1
    (record,) = read_all(Path(".tunescale/records/own"))
    assert record.error == "Failed: Timeout (>8.0s) from pytest-timeout."


def test_nothing_is_gated_where_every_cell_is_skipped(run: Run) -> None:
    """`--benchmark-skip` with a baseline is refused, rather than telling of cases that are missing."""
    done = run("--study", "evals/study.toml", "--benchmark-skip", "--save-baseline", "main", "evals")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--benchmark-skip skips every cell" in done.stderr


@pytest.mark.slow
def test_a_project_that_takes_warnings_for_errors_can_train(run: Run) -> None:
    """What libraries warn each other of fails no case, even under `-W error`."""
    done = run("--study", "evals/study.toml", "-q", "-W", "error", "-k", "lora", "evals")
    assert done.returncode == 0, done.stdout + done.stderr


LIMITED = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    if item.nodeid.startswith("gate"):
        from tunescale_core.plugin.gating import GATING
        item.config.stash["before"] = len(item.config.stash[GATING].paces.already)
    return (yield)

def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.write_line(f"paces before: {config.stash['before']}")
"""


LOUD = """
import warnings
from tunescale_core.plugin import gating

def measured(*_):
    print("said while measuring")
    warnings.warn("warned while measuring")
    from tunescale_core.pace.pace import Measured
    return Measured(())

gating._measured = measured
"""


def test_what_is_said_while_paces_are_measured_is_the_items(run: Run) -> None:
    """It is captured, and warnings are in pytest's summary; after a failed test nothing is measured at all."""
    Path("conftest.py").write_text(LOUD)
    words = ("--study", "evals/study.toml", "-q", "--save-baseline", "main", "-k", "m-base-for-arc or own", ".")
    done = run(*words)
    assert "said while measuring" not in done.stdout + done.stderr
    assert done.stdout.count("UserWarning: warned while measuring") == 1
    assert "warnings summary" in done.stdout
    Path("test_own.py").write_text("def test_own():\n    assert False\n")
    assert "warned while measuring" not in run(*words).stdout


@pytest.mark.slow
def test_no_limit_on_an_items_time_takes_in_the_paces(run: Run) -> None:
    """Paces are there when another plugin begins to time the first item that asks for them, as pytest-timeout does."""
    Path("conftest.py").write_text(LIMITED)
    with Path("evals/study.toml").open("a") as file:
        file.write("[gate]\nblocks = 4\n")
    done = run("--study", "evals/study.toml", "-q", "--save-baseline", "main", "-k", "m-base-for-arc", "evals")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "paces before: 1" in done.stdout
