"""`tunescale score`: the metrics of a file of answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.tasks import TASKS, Example

ROW = {"problem": "1 + 1?", "generated_solution": "", "expected_answer": "2"}


def test_score_prints_the_metrics_as_json(tmp_path: Path) -> None:
    """`tunescale score … --json` gives every metric of the task and the counts."""
    example = TASKS["openmath"].example(ROW, "answer")
    assert isinstance(example, Example)
    (tmp_path / "d.json").write_text(json.dumps([ROW]), encoding="utf-8")
    (tmp_path / "p.json").write_text(json.dumps({example.id: "\\boxed{2}"}), encoding="utf-8")
    ran = CliRunner().invoke(
        app, ["score", "openmath", "--data", f"{tmp_path}/d.json", "--predictions", f"{tmp_path}/p.json", "--json"]
    )
    assert ran.exit_code == 0
    found = json.loads(ran.stdout)
    assert (found["accuracy"], found["abs_diff"], found["n"], found["missing"]) == (1.0, 0.0, 1, 0)


def test_score_says_why_rows_were_left_out(tmp_path: Path) -> None:
    """The table counts the rows left out, and under that by reason; the JSON holds both."""
    rows = [ROW, ROW, ROW | {"expected_answer": "x"}]
    (tmp_path / "d.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "p.json").write_text("{}", encoding="utf-8")
    asked = ["score", "openmath", "--data", f"{tmp_path}/d.json", "--predictions", f"{tmp_path}/p.json"]
    lines = [line.split() for line in CliRunner().invoke(app, asked).stdout.splitlines()]
    assert ["left_out", "2"] in lines
    assert ["asked", "already", "1"] in lines
    assert ["gold", "answer", "is", "not", "a", "number", "1"] in lines
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert (found["n"], found["left_out"]) == (1, 2)
    assert found["left_out_by_reason"] == {"asked already": 1, "gold answer is not a number": 1}


STUDY = """
[study]
name = "s"
[models.m]
source = "embedded:mini-small"
[tasks.route]
task = "classification"
data = "d.json"
eval_data = "d.json"
system = "billing or access?"
columns = { text = "{subject}!", label = "team" }
"""


def test_a_studys_task_is_scored_as_the_study_reads_it(tmp_path: Path) -> None:
    """With --study a task of its is scored by its columns; one that it lacks is told in one line."""
    rows = [{"subject": "a", "team": "billing"}, {"subject": "b", "team": "access"}]
    for name, content in (("d.json", json.dumps(rows)), ("p.json", '["billing", "billing"]'), ("s.toml", STUDY)):
        (tmp_path / name).write_text(content, encoding="utf-8")
    files = ["--study", f"{tmp_path}/s.toml", "--data", f"{tmp_path}/d.json", "--predictions", f"{tmp_path}/p.json"]
    ran = CliRunner().invoke(app, ["score", "route", *files, "--json"])
    assert (ran.exit_code, json.loads(ran.stdout)["accuracy"]) == (0, 0.5)
    refused = CliRunner().invoke(app, ["score", "arc", *files])
    assert refused.exit_code == USAGE
    assert refused.stderr.endswith("s.toml has no task 'arc'; it has route\n")


@pytest.mark.parametrize(("task", "said"), [("chess", "no task 'chess'"), ("arc", "no.json")])
def test_unknown_tasks_and_missing_files_end_in_one_line(task: str, said: str, tmp_path: Path) -> None:
    """An unknown task and a missing file are told in one line each, exit code 4."""
    file = f"{tmp_path}/no.json"
    ran = CliRunner().invoke(app, ["score", task, "--data", file, "--predictions", file])
    assert ran.exit_code == USAGE
    assert ran.stderr.startswith("tunescale: ")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
