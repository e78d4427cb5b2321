"""A study's examples as one CSV: a row an example of a cell, and nothing lost on the way."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import line
from tests.making import record as made
from tunescale_core.records.files import write
from tunescale_core.records.record import Record
from tunescale_core.report.rows import write_csv
from tunescale_core.results.published import reference
from tunescale_core.results.recorded import from_folder
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS, Answer

TEXT = st.text(st.characters(codec="utf-8"))
ARC = made("full", "arc", "arc", [line(place=0), line(Answer(("B",), None), place=1, seconds=None)], seed=7)
SQUAD = made(task="squad_v2", lines=[line(Answer(("mill", "the mill"), "mill"), "squad_v2")])


def dumped(results: Results) -> tuple[list[str], list[dict[str, str]]]:
    """Return the header and the rows that a CSV reader finds."""
    out = io.BytesIO()
    write_csv(results, out)
    reader = csv.DictReader(io.StringIO(out.getvalue().decode("utf-8"), newline=""))
    rows = list(reader)
    return list(reader.fieldnames or ()), rows


def results(*records: Record) -> Results:
    return Results(tuple(map(from_record, records)))


def test_a_row_an_example_of_each_cell() -> None:
    """Every example of every cell has a row, in order, that begins with what the cell is."""
    header, rows = dumped(results(ARC, SQUAD))
    assert header[:5] == ["model", "method", "trained_on", "seed", "task"]
    assert [[row[name] for name in (*header[:5], "example")] for row in rows] == [
        ["m", "full", "arc", "7", "arc", "0"],
        ["m", "full", "arc", "7", "arc", "1"],
        ["m", "base", "", "", "squad_v2", "0"],
    ]


def test_there_is_one_header() -> None:
    """However many cells there are, the header comes once and names each column once."""
    out = io.BytesIO()
    write_csv(results(ARC, SQUAD, made(model="n", lines=[line()])), out)
    assert out.getvalue().count(b"trained_on") == 1
    header, rows = dumped(results(ARC, SQUAD))
    assert len(header) == len(set(header))
    assert all(None not in row and None not in row.values() for row in rows)


@settings(max_examples=40)
@given(TEXT, TEXT)
def test_any_text_survives(text: str, gold: str) -> None:
    """Whatever a model said, and whatever was right, a CSV reader reads it back."""
    record = made(task="squad_v2", lines=[line(Answer((gold,), text), "squad_v2", text=text)])
    _, (row,) = dumped(results(record))
    assert (row["text"], row["answer"], json.loads(row["gold"])) == (text, text, [gold])


@pytest.mark.parametrize("text", ["two\nlines", 'a "quoted" word', "one, two", '"', "\r\n", ",\n\"'", "", "naïve – ü"])
def test_what_csv_quotes_survives(text: str) -> None:
    """Newlines, quotes, commas and letters beyond ASCII are in the field they belong to."""
    _, rows = dumped(results(made(lines=[line(text=text), line(place=1, text="next")])))
    assert [row["text"] for row in rows] == [text, "next"]


def test_golds_are_json() -> None:
    """Several accepted answers are one JSON list, and none is an empty one."""
    none = line(Answer((), ""), "squad_v2", 1)
    _, rows = dumped(results(made(task="squad_v2", lines=[*SQUAD.lines, none])))
    assert [json.loads(row["gold"]) for row in rows] == [["mill", "the mill"], []]


def test_other_tasks_metrics_are_empty() -> None:
    """Every task's metrics have a column, and a row has figures in those of its own task alone."""
    header, rows = dumped(results(ARC, SQUAD))
    scores = {name for name in header if name.startswith("score.")}
    metrics = {task: {f"score.{metric.name}" for metric in TASKS[task].metrics} for task in ("arc", "squad_v2")}
    assert scores == metrics["arc"] | metrics["squad_v2"]
    for row in rows:
        assert {name for name in scores if row[name]} == metrics[row["task"]]


def test_figures_are_at_full_precision() -> None:
    """Seconds come out as they went in, and are empty where an example was not timed."""
    record = made(lines=[line(seconds=1 / 3), line(place=1, seconds=None, first_token_seconds=None)])
    _, rows = dumped(results(record))
    assert float(rows[0]["seconds"]) == 1 / 3
    assert (rows[1]["seconds"], rows[1]["first_token_seconds"]) == ("", "")
    assert [float(row["score.accuracy"]) for row in rows] == [1.0, 1.0]


def test_records_on_disk_give_the_same(tmp_path: Path) -> None:
    """Read from a folder, the dump has the same rows."""
    for record in (ARC, SQUAD):
        write(record, tmp_path)
    header, rows = dumped(from_folder(tmp_path))
    wanted_header, wanted = dumped(results(ARC, SQUAD))
    assert header == wanted_header
    assert sorted(map(str, rows)) == sorted(map(str, wanted))


def test_cells_without_examples_have_no_rows() -> None:
    """A failed cell is passed over, also as the first, and a published table has nothing to dump."""
    failed = made(model="broken", error="ModelError: x")
    assert dumped(results(failed, ARC)) == dumped(results(ARC))
    assert dumped(reference("paper")) == ([], [])
