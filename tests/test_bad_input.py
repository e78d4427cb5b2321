"""Bad input ends as it is said to: the named error in one line, the exit code, and no traceback."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.bad_input import answers, records, rows, studies
from tests.bad_input.cases import CLICK, Case
from tunescale_core.cli import FAULT, app
from tunescale_core.tasks import TASKS, Answer

CASES = (*studies.CASES, *rows.CASES, *records.CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_bad_input_ends_in_one_line(case: Case, tmp_path: Path) -> None:
    """A command that is given bad input says so in one line that names where, with its exit code, and does no more."""
    words = [word.replace("{}", str(tmp_path)) for word in case.make(tmp_path)]
    ran = CliRunner().invoke(app, words)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), repr(ran.exception)
    assert ran.exit_code == case.code, ran.output
    assert "Traceback" not in ran.output
    assert re.search(case.said, ran.stderr), ran.stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", ran.stderr), "control characters reach the terminal"
    if case.code != CLICK:
        assert ran.stderr.startswith("tunescale: ")
        assert ran.stderr.count("\n") == 1
        assert len(ran.stderr) < 1000 + len(str(tmp_path))


@pytest.mark.parametrize("written", answers.ANSWERS, ids=[one.id for one in answers.ANSWERS])
def test_any_answer_has_a_score(written: answers.Written) -> None:
    """Whatever a model writes is read as is said, in a time that grows with its length, and has finite scores."""
    task = TASKS[written.task]
    began = time.process_time()
    said = task.parse(written.text)
    scores = task.score(Answer(("A",) if written.task == "arc" else ("3",), said))
    assert time.process_time() - began < 5, "megabytes take a second; what is quadratic takes hours"
    assert said == written.said
    assert set(scores) == set(task.score(Answer(("A",) if written.task == "arc" else ("3",), None)))
    assert not any(math.isinf(score) for score in scores.values())


def test_a_fault_of_its_own_is_one_line_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What nobody foresaw ends in a line that names it, exit code 70; with --tb it shows where it comes from."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("by \x1b[31mzero")

    monkeypatch.setattr("tunescale_core.measuring.scoring.score_file", broken)
    words = ["score", "arc", "--data", str(tmp_path), "--predictions", str(tmp_path)]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == FAULT
    assert ran.stderr == "tunescale: a fault of its own, ZeroDivisionError: by \\x1b[31mzero (--tb shows where)\n"
    assert isinstance(CliRunner().invoke(app, ["--tb", *words]).exception, ZeroDivisionError)


def test_there_are_as_many_cases_as_are_said() -> None:
    """The table has no case twice."""
    assert len({case.id for case in CASES}) == len(CASES) >= 80
