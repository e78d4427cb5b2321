"""`tunescale latency`: why one candidate is faster than another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.making import line
from tests.making import record as made
from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.records.files import write
from tunescale_core.sensors.readings import Readings


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Records of a base of eleven tokens and a tuned model of six, at the same pace."""
    for method, trained, tokens in (("base", None, 11), ("full", "arc", 6)):
        lines = [line(place=n, tokens=tokens, seconds=0.1 + 0.01 * (tokens - 1)) for n in range(3)]
        write(made(method, trained, lines=lines), tmp_path)
    return tmp_path


def ask(*words: object) -> Result:
    return CliRunner().invoke(app, ["latency", *map(str, words)])


def test_the_split_is_shown(study: Path) -> None:
    """The tuned model's shorter answers are the whole of its gain: the pace is the same."""
    ran = ask("m-full-on-arc", "m-base", study)
    assert ran.exit_code == 0
    row = next(text for text in ran.stdout.splitlines() if text.startswith("arc"))
    assert row.split()[1:5] == ["0.75", "0.75", "1.00", "1.00"]
    assert "6.0 / 11.0" in row


def test_load_beside_either_is_told(study: Path) -> None:
    """A time that was taken while others used the machine is told below the split; a third candidate's is not."""
    write(made("lora-r4", "arc", lines=[line()], readings=Readings(others=3.0)), study)
    assert "others" not in ask("m-full-on-arc", "m-base", study).stdout
    write(made(lines=[line(place=n) for n in range(3)], readings=Readings(others=1.5)), study)
    assert "1 of 2 cells were timed while others used the machine" in ask("m-full-on-arc", "m-base", study).stdout


def test_the_machines_drift_is_told(study: Path) -> None:
    """A third cell that took twice as long a token shows how far the machine drifts, and a line says so."""
    write(made("lora-r4", "arc", lines=[line(place=n, seconds=1.0, first_token_seconds=0.2) for n in range(3)]), study)
    assert "from cell to cell the same work took" in ask("m-full-on-arc", "m-base", study).stdout


def test_json_adds_up(study: Path) -> None:
    """The parts of the logarithm are numbers, with the sentence beside them."""
    found = json.loads(ask("m-base", "m-full-on-arc", study, "--json").stdout)["arc"]
    assert found["ratio"] == pytest.approx(0.2 / 0.15)
    assert "output length" in found["sentence"]
    assert (found["drift"]["df"], found["beside"]) == (1, [])


def test_an_unknown_candidate_names_the_nearest(study: Path) -> None:
    """A name that no candidate has ends in one line with those that it may mean."""
    ran = ask("m-ful-on-arc", "m-base", study)
    assert ran.exit_code == USAGE
    assert "no candidate 'm-ful-on-arc'" in ran.stderr
    assert "m-full-on-arc" in ran.stderr


def test_what_was_not_timed_has_no_split(tmp_path: Path) -> None:
    """Two candidates of which one was never timed end in one line that says what to do."""
    write(made(lines=[line()]), tmp_path)
    write(made("full", "arc", lines=[line(seconds=None, first_token_seconds=None)]), tmp_path)
    ran = ask("m-full-on-arc", "m-base", tmp_path)
    assert ran.exit_code == USAGE
    assert "not both timed" in ran.stderr
