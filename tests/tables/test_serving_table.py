"""Ways of serving side by side."""

import csv
import io
import re

from tests.making import line
from tests.making import record as made
from tunescale_core.records.record import Record
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import Result, from_record
from tunescale_core.sensors.readings import Readings
from tunescale_core.tables.every import run_tables
from tunescale_core.tables.formats import as_csv
from tunescale_core.tables.serving_table import serving_table
from tunescale_core.tasks import TASKS, Answer

RIGHT, WRONG = Answer(("A",), "A"), Answer(("A",), "B")


def record(serving: str, answers: list[Answer], seconds: float, **fields: object) -> Record:
    lines = [
        line(one, place=place, seconds=seconds, first_token_seconds=0.1, tokens=11) for place, one in enumerate(answers)
    ]
    return made("full", "arc", lines=lines, serving=serving, throughput=11 / seconds, **fields)


def rows(*records: Record) -> dict[str, dict[str, str]]:
    """Return the table's rows by way of serving."""
    read = csv.DictReader(io.StringIO(as_csv(serving_table(gathered(map(from_record, records))))))
    return {row["served"]: row for row in read}


def test_eager_stands_beside_the_others() -> None:
    """Each way has its times, and how many of its answers are eager's word for word."""
    found = rows(
        record("eager", [RIGHT, RIGHT, WRONG], 0.6),
        record("static", [RIGHT, RIGHT, WRONG], 0.3),
        record("batch-2", [RIGHT, WRONG], 0.8),
    )
    assert list(found) == ["eager", "static", "batch-2"]
    assert [float(row["s"]) for row in found.values()] == [0.6, 0.3, 0.8]
    assert [round(float(row["ms a token"]), 6) for row in found.values()] == [50, 20, 70]
    assert [row["equal to eager"] for row in found.values()] == ["3/3", "3/3", "1/2"]


def test_equality_is_of_the_same_question_and_seed() -> None:
    """An answer is held against eager's to the same question under the same seed; seeds add up."""
    found = rows(
        record("eager", [RIGHT, WRONG], 0.6, seed=0),
        record("eager", [WRONG, WRONG], 0.6, seed=1),
        record("static", [RIGHT, WRONG], 0.3, seed=0),
        record("static", [RIGHT, WRONG], 0.3, seed=1),
    )
    assert found["static"]["equal to eager"] == "3/4"


def test_an_answer_that_does_not_count_costs_no_figure() -> None:
    """A question that has no score, or a call that wrote nothing, leaves the others' quality and pace."""
    uncounted = record("eager", [RIGHT, WRONG, RIGHT], 0.6)
    lines = list(uncounted.lines)
    lines[2] = lines[2].model_copy(update={"scores": {}, "tokens": 0, "first_token_seconds": None})
    found = rows(uncounted.model_copy(update={"lines": tuple(lines)}), record("static", [RIGHT, WRONG, RIGHT], 0.3))
    assert float(found["eager"]["quality"]) == 0.5
    assert round(float(found["eager"]["ms a token"]), 6) == 50


def test_load_beside_a_way_is_told() -> None:
    """Ways that were timed while others used the machine are counted below their table."""
    cells = [record(way, [RIGHT], 0.3, readings=Readings(others=1.0)) for way in ("static", "batch-2")]
    found = serving_table(gathered(map(from_record, cells)))
    assert found.notes[-1].startswith("2 of 2 cells were timed while others used the machine")
    assert found.notes[-1].endswith("beside m-full-on-arc for arc, served by static")


def test_without_eager_nothing_is_called_equal() -> None:
    """Where eager was not run, equality is missing and not claimed."""
    assert rows(record("static", [RIGHT], 0.3))["static"]["equal to eager"] == "–"


def test_what_failed_is_missing() -> None:
    """Where no way of serving was measured, as after a run in which every cell failed, the table stands with gaps."""
    failed = [
        Result(Candidate("m", "full", "arc"), "arc", TASKS["arc"].primary, None, None, kind="arc", serving=way)
        for way in ("eager", "static")
    ]
    found = list(csv.DictReader(io.StringIO(as_csv(serving_table(gathered(failed))))))
    assert [(row["served"], row["s"], row["equal to eager"]) for row in found] == [
        ("eager", "", "–"),
        ("static", "", "–"),
    ]


def test_candidates_are_compared_served_eagerly() -> None:
    """What is served otherwise stays out of the grid, and has its own table at the end of a run."""
    results = gathered(map(from_record, [record("eager", [RIGHT], 0.6), record("static", [RIGHT], 0.3)]))
    assert [cell.serving for cell in results.cells] == ["eager"]
    assert [table.name for table in run_tables(results)] == ["table1", "outputs", "serving"]
    assert [table.name for table in run_tables(gathered([results.cells[0]]))] == ["table1", "outputs"]


def interval(row: dict[str, str]) -> list[float]:
    return [float(number) for number in re.findall(r"[-+][\d.]+", row["against eager"])]


def test_a_difference_in_quality_has_an_interval() -> None:
    """A way that answers otherwise is held against eager question by question: what thinking does, say."""
    found = rows(
        record("eager", [RIGHT] * 5 + [WRONG] * 35, 0.6),
        record("thinking-off", [RIGHT] * 35 + [WRONG] * 5, 0.3),
        record("static", [RIGHT] * 5 + [WRONG] * 35, 0.3),
    )
    assert found["eager"]["against eager"] == "–"
    value, low, high = interval(found["thinking-off"])
    assert value == 0.75
    assert 0.5 < low < value < high < 1
    value, low, high = interval(found["static"])
    assert low <= value == 0 <= high


def test_only_the_same_questions_of_the_same_seeds_are_compared() -> None:
    """Questions that a way was not asked do not count, seeds are averaged, and a seed without eager leaves a gap."""
    found = rows(
        record("eager", [RIGHT, WRONG, WRONG, WRONG], 0.6, seed=0),
        record("eager", [WRONG, WRONG, WRONG, WRONG], 0.6, seed=1),
        record("batch-2", [RIGHT, RIGHT], 0.3, seed=0),
        record("batch-2", [RIGHT, WRONG], 0.3, seed=1),
        record("static", [RIGHT], 0.3, seed=2),
    )
    assert interval(found["batch-2"])[0] == 0.5
    assert found["static"]["against eager"] == "–"
