"""Runs that are interrupted, as a user meets them: real pytest runs in other processes, real signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interrupting import interruptible
from tunescale_core.training.saves import Saved, read_saved
from tunescale_core.training.stopping import ASKED

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STUDY = """
[study]
name = "stopped"
train_examples = {rows}
eval_examples = 2
save_seconds = {seconds}

[protocol]
max_new_tokens = 300
min_new_tokens = {tokens}
warmup_calls = 0
dtype = "float32"

[models.m]
source = "embedded:mini-small"

[methods.full]
learning_rate = 1e-3

[tasks.squad_v2]
"""


@pytest.fixture(autouse=True)
def _interrupts() -> Iterator[None]:
    with interruptible(signal.SIGINT):
        yield


class Runs:
    """Starts and interrupts runs of a study in a folder."""

    def __init__(self, folder: Path, rows: int, tokens: int, seconds: int = 0) -> None:
        self.folder = folder
        self.said = folder / "said.txt"
        (folder / "stopped.toml").write_text(STUDY.format(rows=rows, tokens=tokens, seconds=seconds))

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a run; what it prints goes to a file."""
        command = [sys.executable, "-m", "pytest", str(ROOT / "benchmarks"), "--study", "stopped.toml", "-v", *words]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        environment.pop("PYTEST_ADDOPTS", None)
        with self.said.open("w") as said:
            return subprocess.Popen(
                [*command, "-p", "no:cacheprovider"],
                cwd=self.folder,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def interrupted(self, reached: Callable[[], object], how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Interrupt a run once it has reached something; its exit code and what it printed."""
        run = self.start()
        until = time.monotonic() + 90
        while not reached() and time.monotonic() < until and run.poll() is None:
            time.sleep(0.02)
        run.send_signal(how)
        return run.wait(timeout=90), self.said.read_text()

    def placed(self, sign: str) -> bool:
        """Whether a path has shown up in the store."""
        return any(self.folder.glob(f".tunescale/{sign}"))

    def training(self) -> bool:
        """Whether the bar of a training shows a step that this run has done: its second line."""
        return bool(
            re.search(r"training m-full.*\rtraining m-full[^\r]*? [1-9]\d*/\d+ ", self.said.read_bytes().decode())
        )

    def saved(self) -> Saved:
        """Return what is said of the one state that is saved."""
        (folder,) = (one.parent for one in self.folder.glob(".tunescale/unfinished/*/saved.json"))
        return read_saved(folder)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_what_is_left_and_is_gone_on_from(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C or a scheduler's request to end while a model trains: exit code 2, what is left, and a saved step."""
    runs = Runs(tmp_path, rows=4000, tokens=0)
    code, said = runs.interrupted(lambda: runs.placed("unfinished/*/saved.json"), how)
    assert code == 2, said
    assert "interrupted: 0 cells done, 2 left: m-full-on-squad_v2-for-squad_v2, m-base-for-squad_v2" in said
    assert "give the same command again to go on from there" in said
    assert "Traceback" not in said
    step = int(next(tmp_path.glob(".tunescale/unfinished/*/checkpoint-*")).name.partition("-")[2])
    assert step >= 1
    assert not list(tmp_path.glob(".tunescale/checkpoints/*"))


def test_a_training_saves_the_step_at_which_it_is_asked_to_end(tmp_path: Path) -> None:
    """However long its interval, a training says that it saves first, and the same command goes on from that step."""
    runs = Runs(tmp_path, rows=4000, tokens=0, seconds=3600)
    code, said = runs.interrupted(runs.training, signal.SIGINT)
    assert code == 2, said
    assert ASKED in said
    first = runs.saved()
    assert first.step >= 1
    code, said = runs.interrupted(runs.training, signal.SIGTERM)
    assert code == 2, said
    assert ASKED in said
    second = runs.saved()
    assert f"training m-full-on-squad_v2 goes on from step {first.step} of " in said
    assert second.spent.resumed_at == (first.step,)
    assert second.step > first.step


def test_a_cell_that_was_done_is_taken_over(tmp_path: Path) -> None:
    """Ctrl-C while the second of two cells is asked: the next run takes the first one over, with the times it had."""
    runs = Runs(tmp_path, rows=16, tokens=300)
    code, said = runs.interrupted(lambda: runs.placed("unfinished/run-stopped.json"))  # written after the record
    assert code == 2, said
    assert "interrupted: 1 cell done, 1 left: m-base-for-squad_v2" in said
    again = runs.start("--benchmark-json", "times.json")
    assert again.wait(timeout=120) == 0, runs.said.read_text()
    said = runs.said.read_text()
    assert "took over 1 cell that an interrupted run had measured; --no-resume measures them anew" in said
    assert re.search(r"trained nothing, took 1 checkpoint", said)
    assert '"taken_over": true' in (tmp_path / "times.json").read_text()
    assert not (tmp_path / ".tunescale" / "unfinished" / "run-stopped.json").exists(), "left for a third run"


def test_killed_anywhere_it_ends_the_same(tmp_path: Path) -> None:
    """A slice of the benchmark of kills: the next run ends with the weights, answers and scores of a run in peace."""
    words = [str(ROOT / "benchmarks" / "check_kills.py"), "--points", "3", "--by-time", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ kills in \d phases, 0 faults", done.stdout)
