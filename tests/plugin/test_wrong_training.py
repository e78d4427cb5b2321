"""A study some of whose trainings go wrong, run with pytest: a line a failure, a mark a doubt, and records of both."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunescale_core.cli import app
from tunescale_core.records.files import read_all
from tunescale_core.records.record import Record
from tunescale_core.training.health import IDLE_ADAPTER, SAME_WEIGHTS

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STUDY = """
[study]
name = "wrong"
train_examples = 80
eval_examples = 2
[protocol]
max_new_tokens = 4
timed_examples = 1
warmup_calls = 0
[models.mini-small]
source = "embedded:mini-small"
methods = ["base", "full", "full-still", "masked"]
[methods.full]
learning_rate = 1e6
[methods.full-still]
learning_rate = 1e-30
loss = "completion"
[methods.masked]
max_length = 8
loss = "completion"
[tasks.arc]
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The run, and its folder."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "wrong.toml").write_text(STUDY)
    command = [sys.executable, "-m", "pytest", str(BENCHMARKS), "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "--study", "wrong.toml", "--store", "store"],
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return folder, run


def records(folder: Path) -> dict[str, Record]:
    return {one.method: one for one in read_all(folder / "store" / "records" / "wrong")}


def test_each_failure_is_a_line(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """What diverged, or has nothing to learn, fails its case with one line, and no other case."""
    _, run = done
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    assert re.search(r"= 2 passed, .*2 errors in ", run.stdout), run.stdout
    assert "Traceback" not in run.stdout + run.stderr
    lines = run.stdout.splitlines()
    for start in (
        "training mini-small-full-on-arc diverged: ",
        "mini-small-masked-on-arc has nothing to learn: in all 80 rows the prompt alone fills max_length = 8,",
    ):
        assert any(one.startswith(start) for one in lines), start


def test_records_keep_the_reason(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """A failed cell's record has the error, a doubtful one's the flag, and a sound one's neither."""
    found = records(done[0])
    assert {method: (one.error or "").partition(":")[0] for method, one in found.items()} == {
        "base": "",
        "full": "DivergedError",
        "full-still": "",
        "masked": "TrainingError",
    }
    assert {method: one.cost.flags for method, one in found.items() if one.cost} == {"full-still": (SAME_WEIGHTS,)}
    assert IDLE_ADAPTER not in str(found)


def test_tables_and_report_say_so(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The run's tables and `tunescale report` have the mark and the reasons."""
    folder, run = done
    told = CliRunner().invoke(app, ["report", str(folder / "store" / "records" / "wrong")]).output
    for text in (run.stdout, told):
        assert f"† mini-small-full-still-on-arc: {SAME_WEIGHTS}" in text
        assert "† mini-small-full-on-arc: failed for arc: DivergedError: training mini-small-full-on-arc" in text


def test_nothing_of_it_is_in_the_store(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The store holds the one checkpoint that was made, and nothing half."""
    (made,) = (done[0] / "store" / "checkpoints").iterdir()
    assert f'"{SAME_WEIGHTS}"' in (made / "manifest.json").read_text()
