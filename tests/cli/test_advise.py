"""`tunescale advise`: what to ship, from a published table or from records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.making import line
from tests.making import record as made
from tunescale_core.advice.kept import constraints_beside, keep
from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.records.files import write
from tunescale_core.study.constraints import Deployment
from tunescale_core.tasks import Answer

PAPER = str(Path(__file__).parents[2] / "benchmarks" / "baselines" / "paper_table1.csv")
BAR = ("--min", "arc:macro_f1=0.5")


def advise(*words: str) -> Result:
    return CliRunner().invoke(app, ["advise", *words])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder of records: a tuned model that is right and fast, and a larger one that is slow and seldom right."""
    for model, method, trained_on, right, seconds in (
        ("small", "full", "arc", 38, 0.1),
        ("large", "base", None, 10, 1.1),
    ):
        answers = [Answer(("ABCD"[place % 4],), "ABCD"[(place + (place >= right)) % 4]) for place in range(40)]
        lines = [line(one, place=place, seconds=seconds) for place, one in enumerate(answers)]
        write(made(method, trained_on, lines=lines, model=model, peak_memory_bytes=2**30), tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (BAR, ["Qwen3-1.7B-base"]),
        ((*BAR, "--max-latency", "1"), ["Qwen3-0.6B-full-on-openmath"]),
        (("--maximise", "openmath:abs_diff", "--max-latency", "0.1"), ["Qwen3-0.6B-full-on-openmath"]),
        (("--min", "squad_v2:f1=20", "--min", "arc:macro_f1=0.5"), ["Qwen3-1.7B-base"]),
        ((*BAR, "--max-cost", "2h"), ["Qwen3-1.7B-base"]),
    ],
)
def test_json_names_what_to_ship(words: Sequence[str], chosen: list[str]) -> None:
    """On the paper's table the advice is a JSON object with the choice, from point values."""
    ran = advise("--table", PAPER, *words, "--json")
    assert (ran.exit_code, ran.stderr) == (0, "")
    found = json.loads(ran.stdout)
    assert (found["decision"], found["chosen"], found["resampled"]) == ("choose", chosen, False)


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (("--min", "arc:macro_f1=0.9"), "nearest is Qwen3-1.7B-base, which breaks: arc macro_f1 ≥ 0.9"),
        ((*BAR, "--max-memory", "8GiB"), "nothing is known of: memory"),
        ((*BAR, "--max-latency", "1", "--latency-stat", "p95"), "a published table has mean latencies alone"),
    ],
)
def test_nothing_feasible_is_an_answer(words: Sequence[str], step: str) -> None:
    """Where nothing keeps to the constraints that is the advice, with what stands in the way, and exit code 1."""
    ran = advise("--table", PAPER, *words, "--json")
    assert ran.exit_code == 1
    found = json.loads(ran.stdout)
    assert (found["decision"], found["chosen"]) == ("nothing is feasible", [])
    assert step in found["next_step"]


def test_text_says_the_same() -> None:
    """Without --json the advice is a sentence, a table, the paper's rule and what tuning pays back."""
    ran = advise("--table", PAPER, *BAR)
    assert ran.exit_code == 0
    assert ran.stdout.startswith("Ship Qwen3-1.7B-base.\n")
    assert "The paper's rule (start small and tune, then scale) ships: Qwen3-1.7B-base" in ran.stdout
    assert "its training cost is unknown." not in ran.stdout  # no tuned one keeps to the bar
    assert "its training cost is unknown." in advise("--table", PAPER, "--min", "arc:macro_f1=0.1").stdout


def test_records_give_probabilities_and_break_even(study: Path) -> None:
    """From records the only task's metric is maximised, shares are of resamples, and training is paid back."""
    ran = advise(str(study), "--max-memory", "1GiB", "--max-cost", "1m", "--json")
    assert ran.exit_code == 0
    found = json.loads(ran.stdout)
    assert (found["decision"], found["chosen"], found["resampled"]) == ("choose", ["small-full-on-arc"], True)
    assert found["maximise"] == {"task": "arc", "metric": "macro_f1"}
    (paid,) = found["break_even"]
    assert (paid["tuned"], paid["larger"]) == ("small-full-on-arc", "large-base")
    assert paid["requests"] == pytest.approx(12.34)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", *BAR], "there is no folder nowhere, and no study of that name"),
        (["--table", "nowhere.csv", *BAR], "table nowhere.csv cannot be read"),
        (["folder", "--table", PAPER, *BAR], "give a folder of records or --table, not both"),
        (["--table", PAPER], "which task is it for?"),
        (["--table", PAPER, *BAR, "--latency-stat", "p90"], "no latency statistic 'p90'"),
        (["--table", PAPER, "--min", "arc"], "give TASK:METRIC=VALUE"),
        (["--table", PAPER, "--min", "chess:elo=1"], "no task 'chess'"),
        (["--table", PAPER, "--maximise", "arc:elo"], "task arc has no metric 'elo'"),
        (["--table", PAPER, "--maximise", "arc:accuracy"], "has no accuracy for arc"),
        (["--table", PAPER, *BAR, "--max-memory", "much"], "cannot read 'much' as a size"),
        (["--table", PAPER, *BAR, "--max-cost", "soon"], "cannot read 'soon' as a duration"),
    ],
)
def test_bad_input_ends_in_one_line(words: Sequence[str], said: str) -> None:
    """What cannot be read or is not known is told in one line on stderr, exit code 4, and nothing is printed."""
    ran = advise(*words)
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert ran.stderr.startswith("tunescale: ")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("--min", "arc:macro_f1"), ("--min", "arc:macro_f1=0.5", "--max-latency", "-1")])
def test_bars_and_limits_have_values(words: Sequence[str]) -> None:
    """A bar without a value and a latency below zero end in one line."""
    ran = advise("--table", PAPER, *words)
    assert ran.exit_code == USAGE
    assert len(ran.stderr.strip().splitlines()) == 1


def test_a_way_of_serving_is_said_with_the_advice(study: Path) -> None:
    """Advice for a way of serving names it, says how many answers are eager's, and an unknown way is one line."""
    answers = [Answer(("ABCD"[place % 4],), "ABCD"[place % 4]) for place in range(40)]
    lines = [line(one, place=place, seconds=0.01) for place, one in enumerate(answers)]
    write(made("full", "arc", lines=lines, model="small", serving="static", cell="small-static"), study)
    ran = advise(str(study), *BAR, "--serving", "static")
    assert ran.stdout.startswith("Ship small-full-on-arc (served by static).")
    assert "small-full-on-arc 38/40" in " ".join(ran.stdout.split())
    assert "0.0100" in ran.stdout
    found = json.loads(advise(str(study), *BAR, "--serving", "static", "--json").stdout)
    assert (found["serving"], found["equal_to_eager"]) == ("static", {"small-full-on-arc": {"equal": 38, "of": 40}})
    assert found["left_out"] == ["large-base"]
    unknown = advise(str(study), *BAR, "--serving", "fast")
    assert (unknown.exit_code, len(unknown.stderr.splitlines())) == (USAGE, 1)
    assert "there is eager, static" in unknown.stderr


def declaring(folder: Path, text: str) -> str:
    """Write a study that declares constraints, and return its file."""
    path = folder / "mine.toml"
    head = '[study]\nname = "mine"\n[models.m]\nsource = "embedded:mini-small"\n[tasks.arc]\n'
    path.write_text(head + text, encoding="utf-8")
    return str(path)


def test_a_studys_own_constraints_are_asked_of(study: Path, tmp_path: Path) -> None:
    """With --study its [constraints] hold; an option beside them is stronger than its own key, and changes no other."""
    mine = declaring(tmp_path, "[constraints]\nmin.arc.macro_f1 = 0.5\nmax_latency = 0.05\n")
    found = json.loads(advise(str(study), "--study", mine, "--json").stdout)
    assert found["decision"] == "nothing is feasible"
    assert found["constraints"]["minimum"] == {"arc:macro_f1": 0.5}
    assert (found["constraints"]["max_latency"], found["constraints"]["latency_stat"]) == (0.05, "mean")
    loose = json.loads(advise(str(study), "--study", mine, "--max-latency", "0.5", "--json").stdout)
    assert loose["chosen"] == ["small-full-on-arc"]
    assert loose["constraints"] == found["constraints"] | {"max_latency": 0.5}


def test_options_alone_are_all_that_is_asked(tmp_path: Path) -> None:
    """What the last run asked, kept beside its records, holds where no option is given, and not beside one."""
    records = tmp_path / "records" / "mine"
    for method, trained_on in (("full", "arc"), ("base", None)):
        answers = [Answer(("ABCD"[place % 4],), "ABCD"[place % 4]) for place in range(40)]
        lines = [line(one, place=place, seconds=0.2) for place, one in enumerate(answers)]
        write(made(method, trained_on, lines=lines), records)
    keep(Deployment(min={"arc": {"macro_f1": 0.6}}, max_latency=0.1), constraints_beside(records))
    own = json.loads(advise(str(records), "--json").stdout)
    assert own["constraints"]["minimum"] == {"arc:macro_f1": 0.6}
    assert own["constraints"]["max_latency"] == 0.1
    asked = json.loads(advise(str(records), *BAR, "--json").stdout)
    assert asked["constraints"]["minimum"] == {"arc:macro_f1": 0.5}
    assert asked["constraints"]["max_latency"] is None
    other = json.loads(advise(str(records), "--serving", "any", "--json").stdout)
    assert (other["constraints"], other["serving"]) == (own["constraints"], "any")
    constraints_beside(records).write_text('{"min": {"arc": {"macro_f1": 70}}}')
    unlikely = advise(str(records), "--json")
    assert (unlikely.exit_code, unlikely.stdout, unlikely.stderr.count("\n")) == (USAGE, "", 1)
    constraints_beside(records).write_text("{")
    assert "cannot be read" in advise(str(records), "--json").stderr


def test_a_bar_is_given_once(study: Path) -> None:
    """Of two bars on one metric it would not be said which holds."""
    ran = advise(str(study), *BAR, "--min", "arc:macro_f1=0.7")
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert "--min arc:macro_f1 is given twice" in ran.stderr


def test_a_study_without_constraints_is_told(study: Path, tmp_path: Path) -> None:
    """A study that is named for its constraints and has none, or is none, ends in one line."""
    for named, said in ((declaring(tmp_path, ""), "has no [constraints]"), ("gone.toml", "gone.toml does not exist")):
        ran = advise(str(study), "--study", named)
        assert (ran.exit_code, ran.stdout) == (USAGE, "")
        assert said in ran.stderr
        assert ran.stderr.count("\n") == 1


def test_what_was_asked_stands_below(study: Path) -> None:
    """The text repeats all the constraints in words."""
    words = ("--max-latency", "2", "--latency-stat", "median", "--max-memory", "8GiB", "--max-cost", "2h")
    text = " ".join(advise(str(study), *BAR, *words, "--serving", "any").stdout.split())
    assert (
        "(constraints: arc macro_f1 ≥ 0.5, median latency ≤ 2 s, memory ≤ 8 GiB, cost ≤ 7200 s, by any way of serving; "
        "of what keeps to them the best macro_f1 for arc)"
    ) in text
