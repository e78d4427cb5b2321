"""The workflows and docs/ci.md say only what the program has."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tunescale_core.cli import app
from tunescale_core.gates.verdict import Outcome
from tunescale_core.study.margins import DEFAULTS, EVERYWHERE, Gate, direction, parse_margin
from tunescale_core.study.study import Study
from tunescale_core.tasks import TASKS

ROOT = Path(__file__).parents[2]
WORKFLOWS = [ROOT / ".github/workflows/tunescale.yml", ROOT / "examples/support-bot/.github/workflows/tunescale.yml"]
GUIDE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


def steps(workflow: Path) -> dict[str, list[dict[str, object]]]:
    content = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    return {name: job["steps"] for name, job in content["jobs"].items()}


def commands(workflow: Path, job: str) -> list[list[str]]:
    lines = [str(step["run"]) for step in steps(workflow)[job] if "run" in step]
    return [shlex.split(line) for text in lines for line in text.splitlines()]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=["ours", "example"])
def test_a_workflow_does_what_the_guide_promises(workflow: Path) -> None:
    """A pull request is gated with the store from the cache; main saves the baseline; the report is uploaded."""
    content = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert set(content[True]) == {"pull_request", "push"}  # YAML reads `on` as true
    assert content["permissions"] == {"contents": "read"}
    uses = {
        job: [str(step.get("uses", "")).partition("@")[0] for step in found] for job, found in steps(workflow).items()
    }
    assert all({"actions/cache/restore", "actions/upload-artifact"} <= set(one) for one in uses.values())
    gate = next(words for words in commands(workflow, "gate") if words[0] == "pytest")
    assert {"--baseline", "--gate-summary", "--gate-json", "--junitxml"} <= set(gate)
    assert "--save-baseline" in next(words for words in commands(workflow, "baseline") if words[0] == "pytest")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=["ours", "example"])
def test_records_are_uploaded_whatever_the_outcome(workflow: Path) -> None:
    """The store is a hidden folder, which the upload leaves out unless told otherwise; and a run that fails is kept."""
    for found in steps(workflow).values():
        upload = next(one for one in found if str(one.get("uses", "")).startswith("actions/upload-artifact@"))
        settings = upload["with"]
        assert isinstance(settings, dict)
        assert ".tunescale/records" in str(settings["path"])
        assert settings["include-hidden-files"] is True
        assert upload["if"] == "always()"


def test_our_own_baseline_is_there() -> None:
    """A pull request before the first push to main is held against a baseline that the repository has."""
    gate = next(words for words in commands(WORKFLOWS[0], "gate") if words[0] == "pytest")
    saved = next(words for words in commands(WORKFLOWS[0], "baseline") if words[0] == "pytest")
    name = gate[gate.index("--baseline") + 1]
    assert saved[saved.index("--save-baseline") + 1] == name
    assert (ROOT / "benchmarks" / "baselines" / name / "baseline.json").is_file()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=["ours", "example"])
def test_a_workflow_uses_options_that_there_are(workflow: Path, pytestconfig: pytest.Config) -> None:
    """Every option of a pytest command in a workflow is one that pytest knows with the plugin."""
    known = {name for group in pytestconfig._parser._groups for one in group.options for name in one.names()}
    known |= {name for one in pytestconfig._parser._anonymous.options for name in one.names()}
    used = {
        word
        for job in ("gate", "baseline")
        for words in commands(workflow, job)
        if words[0] == "pytest"
        for word in words
    }
    assert {word for word in used if word.startswith("--")} <= known


def test_the_guide_names_every_verdict_and_metric() -> None:
    """The guide's tables have a row for each outcome and each gated quantity, with the default margin."""
    rows = [line for line in GUIDE.splitlines() if line.startswith("|")]
    for name in (*Outcome.__args__, *EVERYWHERE, "case"):
        assert any(f"`{name}`" in row.split("|")[1] for row in rows), name
    for name, margin in DEFAULTS.items():
        row = next(row for row in rows if f"`{name}`" in row.split("|")[1])
        assert f"+{100 * margin.amount:g} %" in row


def test_the_guides_margins_can_be_read() -> None:
    """The `[gate]` table that the guide shows is one that the study reader takes."""
    import tomllib

    text = next(block for block in re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL) if "[gate]" in block)
    gate = Gate.model_validate(tomllib.loads(text)["gate"])
    assert (gate.blocks, gate.undecided, gate.reference) == (10, "pass", "mini-small-base")
    for key, margin in {**gate.margins, **gate.cells["mini-small-lora-*"]}.items():
        task, _, metric = key.rpartition(".")
        found = TASKS[task].metric(metric) if task else None
        assert parse_margin(margin, direction(metric, found.better if found else None)).amount > 0
    assert "gate" in Study.model_fields


def test_the_guides_commands_exist() -> None:
    """`tunescale gate` has the options that the guide uses."""
    shown = CliRunner().invoke(app, ["gate", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    used = {
        word
        for line in GUIDE.splitlines()
        if line.startswith("$ tunescale gate")
        for word in line.split()
        if word.startswith("--")
    }
    assert used
    assert all(option in shown for option in used)
