"""Runs that pytest-xdist shares out, as a user starts them: cells are refused, and suites without any are let be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.starting import Run
from tunescale_core.plugin.session import ALONE

TX = ("--dist", "load", "--tx", "2*popen")
OWN = """
import pytest


@pytest.mark.parametrize("way", ["there", "back-for-more"])
def test_own(way):
    assert way
"""
CROSSED = """
import pytest


@pytest.mark.parametrize("way", ["there"])
def test_crossed(way, measure):
    measure()
"""


CELLS_OF_ITS_OWN = """
import pytest


@pytest.mark.parametrize("cell", ["A1", "B2"])
def test_sheet(cell):
    assert len(cell) == 2


class TestOther:
    @pytest.fixture
    def cell(self):
        return "C3"

    def test_fixture(self, cell):
        assert cell == "C3"
"""


def own(folder: Path, text: str, *words: str, addopts: str = "") -> subprocess.CompletedProcess[str]:
    """Run pytest on a suite of the user's own, in the folder."""
    (folder / "test_own.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "test_own.py", "-p", "no:cacheprovider", *words]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": addopts}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    "words",
    [("-n", "2"), ("--study", "mini", *TX)],
    ids=["n", "tx"],
)
def test_cells_are_not_shared_out(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    """However xdist is asked to share cells out, it is refused in one line before any case, and no worker replaced."""
    done = run(*words)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("ERROR")] == [f"ERROR: {ALONE}"]
    assert "replacing" not in done.stdout
    assert not (tmp_path / ".tunescale").exists()


def test_a_gate_is_not_shared_out(run: Run) -> None:
    """A baseline beside --tx is refused in one line before a worker is started."""
    done = run("--baseline", "main", *TX)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert (done.stdout + done.stderr).strip() == f"ERROR: {ALONE}"


def test_cases_are_listed_whatever_is_asked_of_xdist(run: Run) -> None:
    """`--collect-only` shares nothing out, and so refuses nothing."""
    done = run("-n", "2", "--study", "mini", "--collect-only", "-q", "-k", "mini-small-base")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3/33 tests collected" in done.stdout


def test_n_0_is_a_way_out(run: Run, tmp_path: Path) -> None:
    """What the refusal advises lets a run begin, here as far as its store."""
    (tmp_path / "kept").write_text("no folder")
    done = run(*TX, "-n", "0", "--store", "kept", "-k", "mini-small-base-for-arc")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "records cannot be written" in done.stderr
    assert ALONE not in done.stdout + done.stderr


def test_another_suites_cells_are_its_own(tmp_path: Path) -> None:
    """A suite that calls something of its own a cell, and asks for nothing of ours, runs as it did without us."""
    done = own(tmp_path, CELLS_OF_ITS_OWN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_suite_without_cells_is_shared_out(tmp_path: Path) -> None:
    """Tests that measure no cell run in xdist's processes, though options that pytest is always given name a study."""
    done = own(tmp_path, OWN, "-n", "2", addopts="--study mini")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_case_that_no_id_gives_away_is_refused_by_itself(tmp_path: Path) -> None:
    """A cell crossed with another parameter has another id than the cell's: its case fails in one line."""
    done = own(tmp_path, CROSSED, "-k", "mini-small-base and for-arc", *TX)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 error" in done.stdout
    assert f"\n{ALONE}\n" in done.stdout
    assert not (tmp_path / ".tunescale").exists()
