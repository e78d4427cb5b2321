"""A candidate whose training went wrong is never shown like any other: tables, findings, advice, report."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.making import COST, line
from tests.making import record as made
from tunescale_core.cli import app
from tunescale_core.findings.answers import answers
from tunescale_core.records.files import write
from tunescale_core.records.lines import Line
from tunescale_core.records.record import Record, Trial
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tables.every import FORMATS, every_table, run_tables
from tunescale_core.tables.flags import MARK
from tunescale_core.tasks import Answer

IDLE = "its adapter changed nothing"
SAME = "its weights are its base's, bit for bit"
RIGHT = [line(Answer(("A",), "A" if place else "B"), place=place) for place in range(8)]
ADVISE = ["--maximise", "arc:accuracy"]


def flagged(method: str, flag: str, lines: Sequence[Line] = RIGHT, **fields: object) -> Record:
    cost = COST.model_copy(update={"flags": (flag,)})
    return made(method, "arc", lines=lines, cost=cost, **fields)  # type: ignore[arg-type]


TRIALS = (
    Trial(learning_rate=1e-3, score=0.5, metric="accuracy", loss=1.0, steps=4, seconds=1.0),
    Trial(learning_rate=1e6, score=None, metric="accuracy", loss=float("inf"), steps=0, seconds=1.0, lost="nan"),
)
RECORDS = [
    made(lines=[line(Answer(("A",), "B"), place=place) for place in range(8)]),
    made("full", "arc", lines=RIGHT, trials=TRIALS),
    flagged("lora-r4", IDLE),
    made("lora-r8", "arc", lines=RIGHT),
    made("lora-r4", "arc", lines=RIGHT[:4], serving="static", cost=COST.model_copy(update={"flags": (IDLE,)})),
    made(model="big", lines=RIGHT),
]
RESULTS = gathered(map(from_record, RECORDS), "here")
NOTE = f"{MARK} m-lora-r4-on-arc: {IDLE}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The records on disk."""
    for one in RECORDS[:4] + RECORDS[5:]:
        write(one, tmp_path / "records")
    return tmp_path / "records"


def test_every_table_marks_the_row_and_says_why() -> None:
    """Each table that has a row of the candidate marks it, no other row, and has the reason as a note."""
    tables = {table.name: table for table in every_table(RESULTS)}
    for name in ("table1", "outputs", "transfer", "latency", "serving"):
        rows = [row for block in tables[name].blocks for row in block.rows]
        marked = [row for row in rows if any(MARK in entry.text for entry in row.entries)]
        assert {row.method for row in marked} == {"lora-r4"}, name
        assert len(marked) == sum(row.method == "lora-r4" for row in rows), name
        assert NOTE in tables[name].notes, name
    for name in ("table2", "table3"):
        assert NOTE in tables[name].notes, name


def test_the_tables_that_end_a_run_mark_it_too() -> None:
    """So do the tables in the terminal."""
    for table in run_tables(RESULTS):
        assert NOTE in table.notes, table.name


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_carries_the_mark(form: str) -> None:
    """The mark is in every format, in CSV and JSON within the value, and the reason wherever there are notes."""
    text = FORMATS[form]([table for table in every_table(RESULTS) if table.name == "table1"])
    if form == "csv":
        assert [row[2] for row in csv.reader(io.StringIO(text)) if len(row) > 2].count(f"lora-r4 {MARK}") == 1
    elif form == "json":
        assert f"lora-r4 {MARK}" in [row["method"] for row in json.loads(text)["table1"]["rows"]]
    else:
        assert "lora-r4 " + ("$\\dagger$" if form == "latex" else MARK) in text
    assert IDLE in text or form == "csv"


def test_the_best_lora_is_marked_where_it_stands_for_many() -> None:
    """In Table 2 the side that is flagged carries the mark at its score, and the other does not."""
    only = gathered(map(from_record, RECORDS[:3]), "here")
    (row,) = next(table for table in every_table(only) if table.name == "table2").blocks[0].rows
    assert [MARK in entry.text for entry in row.entries] == [False, False, False, True, False, False, False, False]


def test_sound_results_are_as_ever() -> None:
    """Without a flag there is neither mark nor note."""
    sound = Results(tuple(from_record(one) for one in RECORDS if not one.cost or not one.cost.flags))
    assert sound.flags == {}
    assert MARK not in FORMATS["terminal"](every_table(sound))


def test_tables_read_in_a_row_give_a_reason_once() -> None:
    """In a terminal the reason stands under the first table that has the row, and every table has the mark."""
    tables = every_table(RESULTS)
    told = FORMATS["terminal"](tables)
    assert told.count(f"({NOTE})") == 1
    assert sum(NOTE in table.notes for table in tables) > 1
    assert told.index(f"({NOTE})") < told.index(tables[1].title)
    assert FORMATS["markdown"](tables).count(NOTE) > 1


def test_a_seed_is_named_where_there_are_several() -> None:
    """Of a candidate with several seeds the flag says which went wrong, once however much it was asked."""
    seeds = [flagged("full", SAME, seed=0), made("full", "arc", lines=RIGHT, seed=1)]
    squad = made("full", "arc", "squad_v2", cost=seeds[0].cost, seed=0)
    results = Results(tuple(map(from_record, (*seeds, squad))))
    assert list(results.flags.values()) == [(f"seed 0: {SAME}",)]


def test_a_failed_cell_says_why() -> None:
    """A row that is missing its figures has the error's line beside it."""
    failed = made(
        "full", "arc", error="DivergedError: training m-full-on-arc diverged: the loss is nan\nmore", key=None
    )
    results = Results((from_record(RECORDS[0]), from_record(failed)))
    note = f"{MARK} m-full-on-arc: failed for arc: DivergedError: training m-full-on-arc diverged: the loss is nan"
    assert note in FORMATS["terminal"](run_tables(results))


def test_a_lost_trial_is_told() -> None:
    """The table of learning rates says which trial was lost."""
    rows = next(table for table in every_table(RESULTS) if table.name == "search").blocks[0].rows
    assert [row.entries[-1].text for row in rows] == ["yes", "lost"]


def test_findings_say_what_is_flagged() -> None:
    """A finding that names the candidate says so, and every question that was answered at all; others do not."""
    told = f"m-lora-r4-on-arc is flagged: {IDLE}"
    for one in answers(RESULTS):
        named = "m-lora-r4-on-arc" in one.claim.split()
        assert (told in one.note) == (named or (one.is_summary and one.basis == "parts")), one.key
    only = gathered(map(from_record, RECORDS[:3]), "here")
    assert any(told in one.note and not one.is_summary for one in answers(only))


def test_advice_does_not_recommend_it_silently(tmp_path: Path) -> None:
    """Where the best is flagged, the line after the recommendation says not to ship it unexamined."""
    write(made(lines=[line(Answer(("A",), "B"), place=place) for place in range(60)]), tmp_path)
    write(flagged("lora-r4", IDLE, [line(place=place) for place in range(60)]), tmp_path)
    ran = CliRunner().invoke(app, ["advise", str(tmp_path), *ADVISE])
    told = ran.output.splitlines()
    assert ran.exit_code == 1
    assert told[0] == "m-lora-r4-on-arc comes out best, and is flagged."
    assert told[1] == f"Do not ship m-lora-r4-on-arc unexamined: it is flagged ({IDLE})."
    assert any(text.startswith(f"m-lora-r4-on-arc {MARK} ") for text in told)
    said = json.loads(CliRunner().invoke(app, ["advise", str(tmp_path), *ADVISE, "--json"]).output)
    assert said["flags"] == {"m-lora-r4-on-arc": [IDLE]}
    assert said["warnings"] == [told[1]]


def test_the_report_says_it(folder: Path, tmp_path: Path) -> None:
    """The page has mark and reason, and so have `report` and `findings`."""
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["report", str(folder), "--html", str(page)]).exit_code == 0
    text = page.read_text()
    assert f"lora-r4 {MARK}" in text
    assert f"{MARK} m-lora-r4-on-arc: {IDLE}" in text
    for command in ("report", "findings"):
        assert IDLE in " ".join(CliRunner().invoke(app, [command, str(folder)]).output.split())
