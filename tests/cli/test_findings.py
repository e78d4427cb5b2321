"""`tunescale findings`: answers from a published table or from records, without loading what trains."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.making import line
from tests.making import record as made
from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.records.files import write
from tunescale_core.tasks import Answer

PAPER = str(Path(__file__).parents[2] / "benchmarks" / "baselines" / "paper_table1.csv")
QUESTIONS = [*(f"Q{number}" for number in range(1, 8)), *(f"C{number}" for number in range(1, 8))]


def findings(*words: str) -> Result:
    return CliRunner().invoke(app, ["findings", *words])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder of records: a small model untuned and tuned, and a larger one, on eight questions."""
    for model, method, trained_on, right in (
        ("small", "base", None, 2),
        ("small", "full", "arc", 6),
        ("large", "base", None, 7),
    ):
        answers = [Answer(("ABCD"[place % 4],), "ABCD"[(place + (place >= right)) % 4]) for place in range(8)]
        lines = [line(one, place=place) for place, one in enumerate(answers)]
        write(made(method, trained_on, lines=lines, model=model), tmp_path / "records")
    return tmp_path / "records"


def test_json_answers_every_question() -> None:
    """On the paper's table every question and conclusion has a summary with a verdict, and parts it rests on."""
    ran = findings("--table", PAPER, "--json")
    assert (ran.exit_code, ran.stderr) == (0, "")
    found = json.loads(ran.stdout)
    summaries = {one["key"]: one["verdict"] for one in found if one["summary"]}
    assert list(summaries) == QUESTIONS
    assert set(summaries.values()) <= {"supported", "refuted", "not enough evidence"}
    assert {one["question"] for one in found if not one["summary"]} == set(QUESTIONS)
    assert all("reference" not in one for one in found)


def test_the_papers_percentages_come_out() -> None:
    """What the paper prints of full tuning on OpenMath comes out of its table, and is said to agree."""
    found = {one["key"]: one for one in json.loads(findings("--table", PAPER, "--json").stdout)}
    latency = found["Q1.full-on-openmath.openmath.latency"]
    assert latency["value"] == pytest.approx(100 * (0.0482 - 6.0139) / 6.0139)
    assert latency["agrees"] is True
    assert latency["interval"] is None


def test_text_answers_every_question() -> None:
    """Without --json each question is a title with its verdict."""
    ran = findings("--table", PAPER)
    assert ran.exit_code == 0
    titles = [text.split(".")[0] for text in ran.stdout.splitlines() if text.split(".")[0] in QUESTIONS]
    assert titles == QUESTIONS


def test_records_answer_too(study: Path) -> None:
    """From records the answers rest on the examples, and say how many there were."""
    ran = findings(str(study), "--json")
    assert ran.exit_code == 0
    found = {one["key"]: one for one in json.loads(ran.stdout)}
    quality = found["Q1.full-on-arc.arc.quality"]
    assert quality["n"] == 8
    assert quality["interval"]["low"] <= quality["interval"]["value"] <= quality["interval"]["high"]


def test_a_reference_stands_beside(study: Path) -> None:
    """With a reference each finding carries the reference's, or null where it has none."""
    found = {one["key"]: one for one in json.loads(findings(str(study), "--reference", "paper", "--json").stdout)}
    theirs = found["Q1.full-on-arc.arc.latency"]["reference"]
    assert theirs["value"] == pytest.approx(100 * (0.0803 - 1.1397) / 1.1397)
    assert all("reference" in one for one in found.values())


def test_the_tie_rule_is_heard() -> None:
    """By the first row the best LoRA on SQuAD is rank 1024, by latency 256."""
    keys = {
        ties: {one["key"] for one in json.loads(findings("--table", PAPER, "--ties", ties, "--json").stdout)}
        for ties in ("first", "latency")
    }
    assert "Q3.lora-r1024-on-squad_v2.squad_v2.latency" in keys["first"]
    assert "Q3.lora-r256-on-squad_v2.squad_v2.latency" in keys["latency"]


def test_the_only_study_is_meant(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder the only study of the store is read; with none, or with two, one line asks which by name."""
    monkeypatch.chdir(tmp_path)
    store = tmp_path / ".tunescale" / "records"
    none = findings()
    assert (none.exit_code, none.stderr.count("\n")) == (USAGE, 1)
    store.mkdir(parents=True)
    study.rename(store / "one")
    assert findings("--json").exit_code == 0
    (store / "two").mkdir()
    two = findings()
    assert (two.exit_code, two.stderr.count("\n")) == (USAGE, 1)
    assert "say which: one, two" in two.stderr
    assert "there is no folder three, and no study of that name in .tunescale/records; there is one, two" in (
        findings("three").stderr
    )
    alone = findings("one", "--json")
    assert (alone.exit_code, alone.stdout) == (0, findings(str(store / "one"), "--json").stdout)
    (tmp_path / "one").mkdir()  # a folder here is nearer than a study of the store
    assert "folder one holds no records" in findings("one").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no folder nowhere, and no study of that name"),
        (["--table", "nowhere.csv"], "table nowhere.csv cannot be read"),
        (["folder", "--table", PAPER], "give a folder of records or --table, not both"),
        (["--table", PAPER, "--ties", "last"], "no tie-break rule 'last'; known are latency, first"),
        (["--table", PAPER, "--reference", "nobody"], "no reference 'nobody'"),
    ],
)
def test_bad_input_ends_in_one_line(words: Sequence[str], said: str) -> None:
    """What cannot be read or is not known is told in one line on stderr, exit code 4, and nothing is printed."""
    ran = findings(*words)
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert ran.stderr.startswith("tunescale: ")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_findings_do_not_load_torch() -> None:
    """In a fresh interpreter, answering from a table imports neither torch nor transformers."""
    program = (
        "import sys; from tunescale_core.cli import app; "
        f"app(['findings', '--table', {PAPER!r}], standalone_mode=False); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Q1. " in ran.stdout


def test_who_reads_no_further_is_told_nothing() -> None:
    """Where the reader of a pipe has gone, as `head` does, the command ends without a word on its errors."""
    program = "import sys; from tunescale_core.cli import app; app(['findings', '--table', sys.argv[1]])"
    with subprocess.Popen(
        [sys.executable, "-c", program, PAPER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        ran.stdout.close()
        assert ran.stderr.read() == ""
    assert ran.returncode == 1
