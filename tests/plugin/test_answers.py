"""What a run comes to at its end: the questions where a whole study was measured, advice where it asks for it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import line, took
from tests.making import record as made
from tests.starting import Run, study_file
from tunescale_core.plugin import terminal
from tunescale_core.plugin.answers import answered
from tunescale_core.plugin.session import Session
from tunescale_core.records.record import Record
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.tasks import Answer

STUDY = """
[study]
name = "small"
eval_examples = 8
[protocol]
max_new_tokens = 4
timed_examples = 4
warmup_calls = 0
[models.m]
source = "embedded:mini-small"
[methods.full]
[tasks.arc]
"""
ASKED = "[constraints]\nmin.arc.macro_f1 = 0.5\nmax_latency = 0.3\n"


def record(method: str, trained: str | None, right: int, seconds: float) -> Record:
    answers = [Answer(("ABCD"[place % 4],), "ABCD"[(place + (place >= right)) % 4]) for place in range(40)]
    lines = [line(one, place=place, **took(seconds)) for place, one in enumerate(answers)]
    cell = f"m-{method}{f'-on-{trained}' if trained else ''}-for-arc"
    return made(method, trained, lines=lines, cell=cell)


RECORDS = (record("base", None, 10, 1.0), record("full", "arc", 38, 0.1))


def told(folder: Path, text: str, *, taken: int = 2, ended: bool = True) -> dict[str, str]:
    """Return what follows by title, from a run that selected all cells and measured so many of the two on arc."""
    study = load(study_file(folder, text))
    selected = [one.id for one in cells(study)]
    assert {one.cell for one in RECORDS} <= set(selected)
    session = Session("s", folder, {}, study=study, ended=ended, cells=selected, records=list(RECORDS[:taken]))
    return dict(answered(session, gathered(map(from_record, session.records), "here")))


def test_a_whole_study_answers_its_questions_and_advises(tmp_path: Path) -> None:
    """Each question that has parts is a line with its verdict, and advice is what `tunescale advise` says."""
    found = told(tmp_path, STUDY + ASKED)
    assert list(found) == ["findings", "advice"]
    lines = found["findings"].splitlines()
    assert any(one.startswith("Q1") and one.rstrip().endswith("2 of 2") and " supported " in one for one in lines)
    assert not any(one.startswith(("Q4", "C")) for one in lines)
    assert found["advice"].startswith("Ship m-full-on-arc.\n")


def test_a_study_without_constraints_is_not_advised(tmp_path: Path) -> None:
    """What nobody asked is not answered."""
    assert list(told(tmp_path, STUDY)) == ["findings"]


def test_a_part_of_a_study_is_advised_alone(tmp_path: Path) -> None:
    """A slice, or a run that stopped at its first failure, answers no question; constraints are held against it."""
    assert told(tmp_path, STUDY, taken=1) == {}
    assert "nearest is m-base" in told(tmp_path, STUDY + ASKED, taken=1)["advice"]


def test_an_interrupted_run_comes_to_nothing(tmp_path: Path) -> None:
    """A run that did not come to its end says nothing of what was measured so far."""
    assert told(tmp_path, STUDY + ASKED, ended=False) == {}


def test_what_was_not_measured_is_told(tmp_path: Path) -> None:
    """Constraints on a task that no selected cell was asked end in a line, and not in an error."""
    asked = STUDY + "[tasks.squad_v2]\n[constraints]\nmin.squad_v2.f1 = 50\n"
    assert told(tmp_path, asked, taken=1)["advice"] == "none: no task 'squad_v2' in here; there are arc"


def test_a_fault_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in what follows is one line: gates print and write their verdicts after it."""
    monkeypatch.setattr(terminal, "answered", lambda *_: math.sqrt(-1))
    ((title, text),) = terminal._following(Session("s", tmp_path, {}), gathered([]))
    assert title == "findings and advice"
    assert text == "none: ValueError: math domain error (tunescale --tb findings shows where)"


@pytest.mark.slow
def test_a_run_ends_with_advice(run: Run, tmp_path: Path) -> None:
    """A real run prints what it comes to below its tables, each under a title of its own."""
    done = run("--study", study_file(tmp_path, STUDY + ASKED), "-k", "base")
    assert done.returncode == 0, done.stdout
    head, _, tail = done.stdout.partition("advice for study small")
    assert "records: " in head
    assert "findings for study" not in done.stdout
    asked = "(constraints: arc macro_f1 ≥ 0.5, mean latency ≤ 0.3 s; of what keeps to them"
    assert asked in tail
    command = [sys.executable, "-c", "from tunescale_core.cli import app; app(['advise'])"]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert asked in again.stdout
