"""Findings as text and as JSON: what a line holds, and what stands beside it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache

import pytest

from tests.making import line
from tests.making import record as made
from tunescale_core.findings.answers import answers
from tunescale_core.findings.finding import Finding, summary
from tunescale_core.findings.shown import as_objects, as_summary, as_text, drift_told
from tunescale_core.results.published import reference
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.stats.drift import Drift
from tunescale_core.stats.interval import Interval
from tunescale_core.tables.table import MISSING
from tunescale_core.tables.wrapped import WIDTH
from tunescale_core.tasks import Answer

WHOLE = summary("Q1", "It is worth it", [Finding("Q1.a.arc.quality", "", verdict="supported")])
PART = Finding(
    "Q1.a.arc.quality",
    "a is better",
    value=12.345,
    unit="%",
    merit=0.1,
    interval=Interval(0.1, -0.05, 0.25),
    p=0.03,
    p_adjusted=0.06,
    n=40,
    enough=1234,
    basis="interval",
    note="mind",
)


@cache
def paper() -> tuple[Finding, ...]:
    return answers(reference("paper"))


def measured() -> tuple[Finding, ...]:
    """Return the findings of records with rows."""
    sides = {"full": "arc", "lora-r4": "arc", "base": None}
    records = [
        made(
            method,
            on,
            lines=[line(Answer((gold,), gold if on else "A"), place=place) for place, gold in enumerate("ABCD" * 5)],
        )
        for method, on in sides.items()
    ]
    return answers(Results(tuple(map(from_record, records))))


def shown(part: Finding, *others: Finding) -> list[str]:
    """Return the cells of a part's line."""
    text = as_text((WHOLE, part), others)
    (found,) = [row for row in text.splitlines() if row.startswith("a.arc.quality")]
    return [cell.strip() for cell in found.split("  ") if cell.strip()]


@pytest.mark.parametrize("findings", [paper, measured])
def test_objects_are_json(findings: object) -> None:
    """Findings of a table and of examples are strict JSON, and come back with every field they have."""
    found = findings()  # type: ignore[operator]
    objects = as_objects(found)
    assert json.loads(json.dumps(objects, allow_nan=False)) == objects
    assert [one["key"] for one in objects] == [one.key for one in found]
    assert {*Finding.__dataclass_fields__, "question", "summary"} == set(objects[0])


def test_objects_hold_what_was_found() -> None:
    """An object has the interval's ends, the numbers unrounded, and whether it is a question's whole."""
    whole, part = as_objects((WHOLE, PART))
    assert (whole["question"], whole["summary"], part["summary"]) == ("Q1", True, False)
    assert part["interval"] == {"value": 0.1, "low": -0.05, "high": 0.25}
    assert (part["value"], part["p_adjusted"], part["n"], part["enough"]) == (12.345, 0.06, 40, 1234)
    assert "reference" not in whole


def test_references_stand_beside_in_objects() -> None:
    """With a reference each object has its value and verdict, and null where the reference has no such finding."""
    here = Finding("Q1.a.arc.quality", "", value=-3.0, verdict="refuted")
    whole, part = as_objects((WHOLE, PART), (here,))
    assert whole["reference"] is None
    assert part["reference"] == {"value": -3.0, "verdict": "refuted"}


def test_a_studys_findings_meet_the_papers() -> None:
    """The same parts of a study and of the paper have the same keys, so that the paper's value stands beside."""
    objects = {one["key"]: one for one in as_objects(measured(), paper())}
    beside = objects["Q1.full-on-arc.arc.quality"]["reference"]
    assert beside["value"] == pytest.approx(100 * (0.4905 - 0.4932) / 0.4932)
    assert beside["verdict"] == "refuted"
    assert objects["Q5.full-on-arc.arc.latency"]["reference"]["value"] == pytest.approx(0.0803 - 0.1601)


def test_a_block_a_question() -> None:
    """Each question has one block: its answer in capitals first, then its parts."""
    blocks = as_text(paper()).split("\n\n")
    assert len(blocks) == 15
    assert blocks[0].startswith(
        "Q1. Fine-tuning is worth it: better and faster on the task tuned on: REFUTED (no interval)\n"
    )
    assert blocks[1].startswith("Q2. ")
    assert blocks[7].startswith("C1. ")
    assert blocks[-1].startswith("Intervals are 95%, of the gain (more is better)")


def test_a_line() -> None:
    """A line has the value, the interval of the gain, the corrected p, n, and what n would settle it."""
    assert shown(PART) == [
        "a.arc.quality",
        "+12.3%",
        "+0.1 [-0.05, +0.25]",
        "0.060",
        "40",
        "not enough evidence",
        "1,234",
    ]


def test_a_line_without_examples() -> None:
    """What is missing is a dash, and a verdict from point values says that it has no interval."""
    bare = Finding("Q1.a.arc.quality", "", value=1.0, unit="%", verdict="supported", basis="point values", enough=9)
    assert shown(bare) == ["a.arc.quality", "+1.0%", MISSING, MISSING, MISSING, "supported (no interval)"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (-0.0032, "fraction", "-0.003"),
        (-7115.0, "", "-7,115"),
        (-2129.11, "%", "-2,129%"),
        (-1.4534, "s", "-1.453 s"),
        (0.3018, "r", "+0.302 r"),
        (6.8519, "points", "+6.852 points"),
        (0.04, "%", "+0.0%"),
        (None, "%", MISSING),
    ],
)
def test_values_have_a_sign_and_a_unit(value: float | None, unit: str, text: str) -> None:
    """Percent have one decimal, other figures three, thousands none; a fraction needs no unit."""
    one = Finding("Q1.a.arc.quality", "", value=value, unit=unit)
    assert shown(one)[1] == text


def test_references_stand_beside_in_text() -> None:
    """With a reference each line ends with its value; without such a finding there is a dash."""
    here = Finding("Q1.a.arc.quality", "", value=-3.0, unit="%")
    assert shown(PART, here)[-1] == "-3.0%"
    assert shown(PART, Finding("Q1.b.arc.quality", "", value=-3.0, unit="%"))[-1] == MISSING
    assert "reference" in as_text((WHOLE, PART), (here,))
    assert "reference" not in as_text((WHOLE, PART))


def test_what_is_printed_stands_beside() -> None:
    """A printed figure is shown with whether it agrees, at its line or under its question."""
    text = as_text(paper())
    assert "33.4 % (sec. 4, Q1): agrees" in text
    assert "0.301 (Table 3): DISAGREES" in text
    assert "\n    Yes, when aligned to the target task (sec. 4, Q1): DISAGREES\n" in text
    assert "printed" not in as_text(measured())


def test_notes_are_told_once() -> None:
    """The notes of parts stand under the table, equal ones once; those of Q6, one a line, do not."""
    other = Finding("Q1.b.arc.quality", "", note="mind")
    assert as_text((WHOLE, PART, other)).count("- mind") == 1
    assert "- forgetting" not in as_text(paper())


def test_a_question_without_parts_has_no_table() -> None:
    """An answer with nothing to rest on is its title and why."""
    text = as_text((summary("Q3", "LoRA is better", (), "nothing to answer it with"),))
    assert text.split("\n\n")[0] == "Q3. LoRA is better: NOT ENOUGH EVIDENCE\n    nothing to answer it with"


def test_long_notes_are_wrapped() -> None:
    """No note is wider than the page."""
    notes = [row for row in as_text(paper()).splitlines() if row.startswith("    ")]
    assert notes
    assert max(map(len, notes)) <= WIDTH


def test_a_summary_has_a_line_a_question_that_is_answered() -> None:
    """Seven questions are a line each with verdict and parts; conclusions and what nothing answers are not."""
    lines = as_summary(paper()).splitlines()[2:]
    assert [one.split()[0] for one in lines] == [f"Q{number}" for number in range(1, 8)]
    wholes = {one.key: one for one in paper() if one.is_summary}
    for one in lines:
        whole = wholes[one.split()[0]]
        assert whole.claim in one
        assert f"{whole.verdict} " in one
        assert one.endswith(f"{whole.value:g} {whole.unit}")
    assert as_summary([summary("Q3", "It is so", ())]) == ""


LATENCY = Finding("Q1.a.arc.latency", "a is faster", merit=0.1, interval=Interval(0.1, -0.05, 0.25))


def test_the_machines_drift_is_told() -> None:
    """The last lines say by how much the same work's time varied, as a factor; JSON gives the logarithm's deviation."""
    drifting = replace(LATENCY, drift=Drift(math.log(1.25) ** 2, 7))
    assert "from cell to cell the same work took 25% more or less time" in drift_told([PART, drifting])
    assert as_text([WHOLE, PART, drifting]).endswith(drift_told([drifting]))
    told = as_objects([drifting])[0]["drift"]
    assert told["sd"] == pytest.approx(math.log(1.25))
    assert told == drifting.drift.figures if drifting.drift else None


def test_a_drift_that_nothing_shows_is_told() -> None:
    """Where latencies have intervals and no two cells could be compared, the last line says what is not in them."""
    assert "is not known" in drift_told([LATENCY])


@pytest.mark.parametrize("found", [[], [PART], [replace(LATENCY, interval=None)]])
def test_no_drift_is_told_without_intervals_of_times(found: list[Finding]) -> None:
    """Of qualities and of a published table's times there is nothing to say."""
    assert not drift_told(found)


def test_one_seed_is_told() -> None:
    """Where a side was trained once, the last line says what no interval holds; elsewhere it does not."""
    once = Finding("Q1.x", "", value=1.0, merit=1.0, lone=True)
    assert "trained once (one seed)" in as_text([once]).splitlines()[-1]
    assert "seed" not in as_text([replace(once, lone=False)])
