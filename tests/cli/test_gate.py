"""`tunescale gate`: records held against a baseline, with the exit codes of a run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.making import line, record
from tests.pacing import pace as paced
from tunescale_core.cli import app
from tunescale_core.gates.baseline import FOLDER, save
from tunescale_core.pace.pace import YARDSTICK, Pace, paces_beside
from tunescale_core.pace.pace import write as write_paces
from tunescale_core.records.files import write
from tunescale_core.records.record import Record
from tunescale_core.tasks import Answer

STUDY = """
[study]
name = "small"
[models.m]
source = "embedded:mini-small"
[tasks.arc]
[tasks.squad_v2]
"""
HASHES = {"examples": "e" * 64, "prompts": "f" * 64, "protocol": "a" * 64}
RECORDS = Path(".tunescale/records/small")
N = 300


def measured(share: float = 0.8, **fields: object) -> list[Record]:
    golds = ("A", "B", "C", "D")
    answers = [Answer((golds[n % 4],), golds[(n + (n >= share * N)) % 4]) for n in range(N)]
    return [
        record(
            task=task,
            lines=[line(one, task, place) for place, one in enumerate(answers)],
            **({"cell": f"m-base-for-{task}", "study": "small", "hashes": HASHES} | fields),
        )
        for task in ("arc", "squad_v2")
    ]


def pace(level: float) -> Pace:
    """Return the reference's pace against the yardstick, at a level."""
    return paced([level + 0.001 * (place % 3) for place in range(10)], subject="m-base", reference=YARDSTICK)


def place(records: list[Record], *paces: Pace) -> None:
    for one in records:
        write(one, RECORDS)
    write_paces(paces, paces_beside(RECORDS))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a project with a baseline `main` and the records it was made of."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(STUDY)
    save(measured(), [], FOLDER / "main")
    place(measured())


def run(*words: str, study: str = "small.toml") -> tuple[int, str]:
    done = CliRunner().invoke(app, ["gate", str(RECORDS), "--study", study, *words])
    return done.exit_code, done.output


def test_unchanged_records_hold() -> None:
    """The records that a baseline was made of hold against it."""
    code, said = run("--baseline", "main")
    assert code == 0, said
    assert said.startswith("against baseline main: holds\n")


def test_worse_records_are_a_regression() -> None:
    """Fewer right answers are exit code 1, a line each, in the summary too."""
    place(measured(0.6))
    code, said = run("--baseline", "main", "--gate-summary", "gate.md")
    assert code == 1
    assert "m-base-for-arc macro_f1: 0.8" in said
    assert "regression" in Path("gate.md").read_text().splitlines()[0]


def test_a_missing_record_is_a_regression() -> None:
    """A case of the baseline without a record fails: a folder is held whole."""
    (RECORDS / "m-base-for-squad_v2.json").unlink()
    code, said = run("--baseline", "main")
    assert code == 1
    assert "m-base-for-squad_v2 case: regression (missing from this run)" in said


def test_nothing_compared_is_5() -> None:
    """Where every prompt is another, nothing is compared and nothing passes."""
    place(measured(hashes=HASHES | {"prompts": "0" * 64}))
    code, said = run("--baseline", "main")
    assert code == 5
    assert "nothing compared" in said


def test_json_holds_every_verdict() -> None:
    """`--json` prints an object a verdict, with whether it fails."""
    place(measured(0.6))
    code, said = run("--baseline", "main", "--json")
    assert code == 1
    assert {one["outcome"] for one in json.loads(said) if one["failed"]} == {"regression"}


def test_records_can_become_a_baseline() -> None:
    """`--save-baseline` makes one of a folder of records; it is not made of a run that is worse than another."""
    code, said = run("--save-baseline", "again")
    assert (code, "saved baseline" in said) == (0, True)
    assert run("--baseline", "again")[0] == 0
    place(measured(0.6))
    assert run("--baseline", "main", "--save-baseline", "worse")[0] == 1
    assert not (FOLDER / "worse").exists()


@pytest.mark.parametrize(
    ("paces", "outcome", "code"),
    [
        ((), "m-base pace: refused (no pace was measured)", 0),
        ((pace(0.0),), "holds", 0),
        ((pace(0.2),), "undecided (an alarm that no fresh blocks confirmed", 0),
        ((pace(0.2), pace(0.2)), "regression (confirmed by", 1),
        ((pace(0.2), pace(0.0)), "against baseline main: holds", 0),
    ],
)
def test_a_pace_fails_only_where_it_was_measured_twice(paces: tuple[Pace, ...], outcome: str, code: int) -> None:
    """Stored paces are judged as they were in the run: an alarm alone decides nothing."""
    save(measured(), [pace(0.0)], FOLDER / "main")
    place(measured(), *paces)
    found, said = run("--baseline", "main")
    assert (found, outcome in said) == (code, True), said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --baseline NAME, --save-baseline NAME, or --self-test"),
        (("--baseline", "mian"), "no baseline 'mian' in"),
        (("--baseline", "x/y.json"), "does not exist"),
    ],
)
def test_what_cannot_be_meant_is_4(words: tuple[str, ...], said: str) -> None:
    """No baseline, or one that is not there, is a usage error in one line."""
    code, told = run(*words)
    assert (code, said in told) == (4, True), told
    assert "Traceback" not in told


def test_the_study_of_the_records_is_found_or_asked_for() -> None:
    """Without --study the records' own study counts, which must be one that ships."""
    done = CliRunner().invoke(app, ["gate", str(RECORDS), "--baseline", "main"])
    assert done.exit_code == 4
    assert "no study is called 'small'" in done.output
