"""`tunescale rows`: a study's examples on standard output."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.making import line
from tests.making import record as made
from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.records.files import write

HARD = 'He said: "two,\nthree" – naïve'


def test_every_example_is_printed(tmp_path: Path) -> None:
    """Each example of each record is a row that a CSV reader finds, whatever its text."""
    write(made(lines=[line(text=HARD), line(place=1)]), tmp_path)
    write(made("full", "arc", lines=[line()]), tmp_path)
    ran = CliRunner().invoke(app, ["rows", str(tmp_path)])
    assert (ran.exit_code, ran.stderr) == (0, "")
    found = list(csv.DictReader(io.StringIO(ran.stdout_bytes.decode("utf-8"), newline="")))
    assert [(row["method"], row["example"]) for row in found] == [("base", "0"), ("base", "1"), ("full", "0")]
    assert found[0]["text"] == HARD


def test_one_case_is_printed_alone(tmp_path: Path) -> None:
    """A pattern keeps the cases whose ids it matches; one that matches none ends in one line that names some."""
    write(made(lines=[line()]), tmp_path)
    write(made("full", "arc", lines=[line()]), tmp_path)
    ran = CliRunner().invoke(app, ["rows", str(tmp_path), "--case", "*full*"])
    assert [row["method"] for row in csv.DictReader(io.StringIO(ran.stdout))] == ["full"]
    ran = CliRunner().invoke(app, ["rows", str(tmp_path), "--case", "gone-*"])
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert "no case matches --case 'gone-*'; there are m-" in ran.stderr


@pytest.mark.parametrize("content", [None, "{}", "not JSON"])
def test_bad_input_ends_in_one_line(content: str | None, tmp_path: Path) -> None:
    """A folder without records, or with a file that is none, is told in one line on stderr, exit code 4."""
    if content is not None:
        (tmp_path / "a.json").write_text(content, encoding="utf-8")
    ran = CliRunner().invoke(app, ["rows", str(tmp_path)])
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert ran.stderr.startswith("tunescale: ")
    assert ran.stderr.count("\n") == 1


def test_missing_rows_end_in_one_line(tmp_path: Path) -> None:
    """A record whose rows were deleted is told in one line that says to measure it again."""
    write(made(lines=[line()]), tmp_path)
    for path in tmp_path.glob("*.parquet"):
        path.unlink()
    ran = CliRunner().invoke(app, ["rows", str(tmp_path)])
    assert ran.exit_code == USAGE
    assert "measure it again" in ran.stderr
    assert ran.stderr.count("\n") == 1
