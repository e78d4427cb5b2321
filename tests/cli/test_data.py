"""`tunescale data`: a study's rows and examples, before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.data.examples import load_examples
from tunescale_core.study.loading import load

STUDY = r"""
[study]
name = "s"
train_examples = 2
[models.m]
source = "no/such-model"
[methods.full]
[tasks.route]
task = "classification"
data = "t.jsonl"
eval_data = "e.jsonl"
system = "billing or access? \\boxed{}"
columns = { text = "{subject}!", label = "team" }
"""


@pytest.fixture
def study(tmp_path: Path) -> str:
    """A study of a file's rows, one of them without a label, and of a model that is not there."""
    for name in "te":
        rows = [{"subject": f"{name}{n}", "team": team} for n, team in enumerate(["billing", "", "access"])]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "s.toml").write_text(STUDY, encoding="utf-8")
    return str(tmp_path / "s.toml")


def test_rows_are_counted_and_an_example_is_shown(study: str) -> None:
    """Each purpose has its rows, of how many, those left out by reason, and an example whole; no model is asked for."""
    ran = CliRunner().invoke(app, ["data", "--study", study])
    assert (ran.exit_code, ran.stderr) == (0, "")
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert ["route", "train", "2", "1", "(empty", "label)", "t.jsonl"] in lines
    assert ["route", "eval", "2", "of", "200", "1", "(empty", "label)", "e.jsonl"] in lines
    for shown in (r"[system] billing or access? \boxed{}", "[user] t0!", "[user] e0!", r"[target] \boxed{billing}"):
        assert shown in ran.stdout.splitlines()
    assert "[user] t2!" not in ran.stdout


def test_labels_are_counted_and_those_that_training_lacks_are_named(study: str) -> None:
    """Of a classification it is told which labels are asked, and which of them no training row has."""
    lines = CliRunner().invoke(app, ["data", "--study", study]).stdout.splitlines()
    assert "route: 2 labels are asked: billing 1, access 1" in lines
    assert not any("never taught" in line for line in lines)
    Path(study).with_name("t.jsonl").write_text(json.dumps({"subject": "b", "team": "Billing"}), encoding="utf-8")
    assert "route: never taught: access" in CliRunner().invoke(app, ["data", "--study", study]).stdout.splitlines()


def test_a_model_reads_its_template() -> None:
    """With a model of the study, examples are in its template to the letter, and rows are counted in its tokens."""
    words = ["data", "--study", "mini", "--task", "arc", "--model", "mini-small"]
    lines = CliRunner().invoke(app, words).stdout.splitlines()
    assert lines[0].split()[-4:] == ["tokens", "longest", "too", "long"]
    assert lines[2].endswith("0 (of more than 1,024)")
    assert "mini-small ends an answer with <|im_end|>" in lines
    assert lines.count("<|im_start|>system") == 2
    assert [line for line in lines if line.startswith("[")] == [lines[-1]]
    assert lines[-1].startswith("[accepted] ")
    train, evaluation = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert train["tokens"]["longest"] > evaluation["tokens"]["longest"]
    assert evaluation["examples"][0]["read"].endswith("<|im_start|>assistant\n")
    assert train["notes"] == ["mini-small ends an answer with <|im_end|>"]


def test_an_unknown_model_is_told_with_those_there_are() -> None:
    """A model that the study has not is one line with its models."""
    ran = CliRunner().invoke(app, ["data", "--study", "mini", "--model", "nobody"])
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert "study mini has no model 'nobody'; it has mini-small, mini-large" in ran.stderr


def test_json_holds_the_same(study: str) -> None:
    """The JSON has every purpose with its counts, its fingerprint and as many examples as are asked for."""
    ran = CliRunner().invoke(app, ["data", "--study", study, "--task", "route", "--examples", "2", "--json"])
    train, evaluation = json.loads(ran.stdout)
    assert (train["purpose"], evaluation["purpose"]) == ("train", "eval")
    assert (train["rows"], train["left_out"]) == (2, {"empty label": 1})
    assert [one["gold"] for one in evaluation["examples"]] == [["billing"], ["access"]]
    assert evaluation["fingerprint"] == load_examples(load(study), "route", "eval").fingerprint


def test_development_rows_are_shown_where_a_rate_is_searched() -> None:
    """A study that searches learning rates has a third purpose."""
    ran = CliRunner().invoke(app, ["data", "--study", "mini-fair", "--task", "arc", "--json"])
    assert [one["purpose"] for one in json.loads(ran.stdout)] == ["train", "dev", "eval"]


def test_every_task_can_be_shown() -> None:
    """All tasks of the embedded study are shown, questions without an answer among them."""
    ran = CliRunner().invoke(app, ["data", "--study", "mini", "--examples", "40"])
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "[accepted] (that there is none)" in ran.stdout
    assert "labels are asked" not in ran.stdout


def test_what_cannot_be_read_is_one_line(study: str) -> None:
    """A bad row, an unknown task and a missing study end in one line, exit code 4."""
    Path(study).with_name("e.jsonl").write_text('{"subject": "x"}', encoding="utf-8")
    for words, said in (
        (["--study", study], "e.jsonl, row 1: no column 'team', which columns.label names"),
        (["--study", study, "--task", "arc"], "has no task 'arc'; it has route"),
        (["--study", "nope.toml"], "study file nope.toml does not exist"),
    ):
        ran = CliRunner().invoke(app, ["data", *words])
        assert ran.exit_code == USAGE
        assert said in ran.stderr
        assert ran.stderr.count("\n") == 1


def test_texts_are_printed_harmlessly(study: str) -> None:
    """What a data file holds does nothing to a terminal."""
    rows = [{"subject": "\x1b[2J\u202e", "team": "billing"}, {"subject": "b", "team": "access"}]
    Path(study).with_name("t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    shown = CliRunner().invoke(app, ["data", "--study", study]).stdout
    assert r"[user] \x1b[2J\u202e!" in shown
    assert "\x1b" not in shown
