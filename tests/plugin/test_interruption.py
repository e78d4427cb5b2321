"""Runs that are interrupted, as a user meets them: real pytest runs in other processes, real signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STUDY = """
[study]
name = "stopped"
train_examples = {rows}
eval_examples = 2
save_seconds = 0

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


class Runs:
    """Starts and interrupts runs of a study in a folder."""

    def __init__(self, folder: Path, rows: int, tokens: int) -> None:
        self.folder = folder
        (folder / "stopped.toml").write_text(STUDY.format(rows=rows, tokens=tokens))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a run."""
        command = [sys.executable, "-m", "pytest", str(ROOT / "benchmarks"), "--study", "stopped.toml", "-v", *words]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        environment.pop("PYTEST_ADDOPTS", None)
        return subprocess.Popen(
            [*command, "-p", "no:cacheprovider"],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def interrupted(self, sign: str, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Interrupt a run once a path shows up in its store; its exit code and what it printed."""
        run = self.start()
        until = time.monotonic() + 90
        while not list(self.folder.glob(f".tunescale/{sign}")) and time.monotonic() < until and run.poll() is None:
            time.sleep(0.02)
        run.send_signal(how)
        said, _ = run.communicate(timeout=90)
        return run.returncode, said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_what_is_left_and_is_gone_on_from(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C or a scheduler's request to end while a model trains: exit code 2, what is left, and a saved step."""
    runs = Runs(tmp_path, rows=4000, tokens=0)
    code, said = runs.interrupted("unfinished/*/saved.json", how)
    assert code == 2, said
    assert "interrupted: 0 cells done, 2 left: m-full-on-squad_v2-for-squad_v2, m-base-for-squad_v2" in said
    assert "give the same command again to go on from there" in said
    assert "Traceback" not in said
    step = int(next(tmp_path.glob(".tunescale/unfinished/*/checkpoint-*")).name.partition("-")[2])
    assert step >= 1
    assert not list(tmp_path.glob(".tunescale/checkpoints/*"))


def test_a_cell_that_was_done_is_taken_over(tmp_path: Path) -> None:
    """Ctrl-C while the second of two cells is asked: the next run takes the first one over, with the times it had."""
    runs = Runs(tmp_path, rows=16, tokens=300)
    code, said = runs.interrupted("unfinished/run-stopped.json")  # written after the record
    assert code == 2, said
    assert "interrupted: 1 cell done, 1 left: m-base-for-squad_v2" in said
    again = runs.start("--benchmark-json", "times.json")
    said, _ = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert "took over 1 cell that an interrupted run had measured; --no-resume measures them anew" in said
    assert re.search(r"trained nothing, took 1 checkpoint", said)
    assert '"taken_over": true' in (tmp_path / "times.json").read_text()
    assert not (tmp_path / ".tunescale" / "unfinished" / "run-stopped.json").exists(), "left for a third run"


def test_killed_anywhere_it_ends_the_same(tmp_path: Path) -> None:
    """A slice of the benchmark of kills: the next run ends with the weights, answers and scores of a run in peace."""
    words = [str(ROOT / "benchmarks" / "check_kills.py"), "--points", "4", "--by-time", "1"]
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
