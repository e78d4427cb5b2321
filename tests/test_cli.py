"""Claims about the command line."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from tunescale_core.cli import USAGE, app

ROW = {"problem": "1 + 1?", "generated_solution": "", "expected_answer": "2"}


def test_score_prints_the_metrics_as_json(tmp_path: Path) -> None:
    """`tunescale score … --json` gives every metric of the task and the counts."""
    from tunescale_core.tasks import TASKS

    example = TASKS["openmath"].example(ROW, "answer")
    assert example is not None
    (tmp_path / "d.json").write_text(json.dumps([ROW]), encoding="utf-8")
    (tmp_path / "p.json").write_text(json.dumps({example.id: "\\boxed{2}"}), encoding="utf-8")
    ran = CliRunner().invoke(
        app, ["score", "openmath", "--data", f"{tmp_path}/d.json", "--predictions", f"{tmp_path}/p.json", "--json"]
    )
    assert ran.exit_code == 0
    found = json.loads(ran.stdout)
    assert (found["accuracy"], found["abs_diff"], found["n"], found["missing"]) == (1.0, 0.0, 1, 0)


def test_unknown_names_end_in_one_line_and_the_usage_code(tmp_path: Path) -> None:
    """An unknown task, an unknown model, and a missing file are told in one line each, exit code 4."""
    wrong = (
        ["score", "chess", "--data", "d.json", "--predictions", "p.json"],
        ["pretrain", "mini-huge", "--out", str(tmp_path)],
        ["score", "arc", "--data", f"{tmp_path}/no.json", "--predictions", f"{tmp_path}/no.json"],
    )
    for words in wrong:
        ran = CliRunner().invoke(app, words)
        assert ran.exit_code == USAGE
        assert ran.stderr.startswith("tunescale: ")
        assert ran.stderr.count("\n") == 1
