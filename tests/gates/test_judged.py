"""A whole run held against a baseline: which verdicts, in which order, and which of them are known beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gating import CELL, HASHES, elsewhere, letters, side, spans, sums, timed, tuned
from tunescale_core.gates.baseline import Baseline
from tunescale_core.gates.judged import Run, expected, judged
from tunescale_core.gates.rounds import Timing
from tunescale_core.gates.verdict import CASE
from tunescale_core.records.files import write
from tunescale_core.results.recorded import from_folder
from tunescale_core.results.result import Result
from tunescale_core.study.margins import Gate
from tunescale_core.study.study import Study

FAILED = side(key=None, error="ModelError: gone")
UNTIMED = timed([None] * 8)
SIDES: dict[str, Result] = {
    "arc": side(letters([True, False] * 8)),
    "squad": side(spans([True, False] * 8, 4), "squad_v2"),
    "openmath": side(sums(["5", "7"] * 8), "openmath"),
    "tuned": tuned(letters([True] * 8)),
    "untimed": UNTIMED,
    "failed": FAILED,
}
GATES = (Gate(), Gate.model_validate({"squad_v2": {"avna": "-1"}, "median_diff": "+1", "tokens": "+5%"}))


def baseline(timings: dict[str, Timing] | None = None, **results: Result) -> Baseline:
    return Baseline("b", Path("b"), results, timings=timings or {})


def named(run: Run, against: Baseline, gate: Gate | None = None) -> list[tuple[str, str, str]]:
    return [(one.cell, one.metric, one.outcome) for one in judged(run, against, gate or Gate())]


@pytest.mark.parametrize("name", list(SIDES))
@pytest.mark.parametrize("gate", GATES, ids=["silent", "declared"])
@pytest.mark.parametrize("now", [elsewhere(), elsewhere(cpu="Another")], ids=["here", "elsewhere"])
def test_verdicts_are_those_expected(name: str, gate: Gate, now: object) -> None:
    """Before anything runs it is known which figures a case whose case holds gets verdicts on, and in which order."""
    new = SIDES[name]
    assert new.record is not None
    moved = side_with(new, now)
    found = [one.metric for one in judged(Run({name: moved}), baseline(**{name: SIDES[name]}), gate)]
    assert tuple(found) == expected(name, gate, baseline(**{name: SIDES[name]}))


def side_with(one: Result, provenance: object) -> Result:
    from tunescale_core.results.result import from_record

    assert one.record is not None
    return from_record(one.record.model_copy(update={"provenance": provenance}), one.source)


def test_what_is_gated_of_a_tuned_case() -> None:
    """A tuned ARC case: its case, macro-F1, accuracy, parse rate, tokens, parameters and latency."""
    metrics = ("case", "macro_f1", "accuracy", "parse_rate", "tokens", "parameters", "latency")
    assert expected("tuned", Gate(), baseline(tuned=SIDES["tuned"])) == metrics
    assert expected("other", Gate(), baseline(tuned=SIDES["tuned"])) == (CASE,)


def test_a_run_against_itself_holds() -> None:
    """Every verdict of a run against itself holds, but of a case that failed before and still does."""
    ran = {name: one for name, one in SIDES.items() if name != "failed"}
    found = judged(Run(ran), baseline(**ran), Gate())
    assert {one.outcome for one in found} == {"holds"}
    assert [one.outcome for one in judged(Run({"failed": FAILED}), baseline(failed=FAILED), Gate())] == ["refused"]


def test_a_case_that_does_not_hold_says_only_that() -> None:
    """Where the case was asked otherwise, failed, is missing or is new, no figure is compared."""
    asked = side(letters([True] * 4), hashes={**HASHES, "prompts": "f" * 64})
    old = side(letters([True] * 4))
    run = Run({"asked": asked, "failed": FAILED, "new": old})
    assert named(run, baseline(gone=old, asked=old, failed=old)) == [
        ("asked", CASE, "refused"),
        ("failed", CASE, "regression"),
        ("new", CASE, "new"),
        ("gone", CASE, "regression"),
    ]


def test_what_was_not_selected_is_not_missing() -> None:
    """A case of the study that the run did not ask for is not missing; one that left the study is."""
    old = side(letters([True] * 4))
    run = Run({}, known=frozenset({"asked", "unasked"}), selected=frozenset({"asked"}))
    against = baseline(asked=old, unasked=old, left=old)
    assert [one[0] for one in named(run, against)] == ["asked", "left"]
    assert [one[0] for one in named(Run({}), against)] == ["asked", "unasked", "left"]
    assert [one[0] for one in named(Run({}, known=run.known), against)] == ["asked", "unasked", "left"]


def test_a_file_of_pytest_benchmark_gates_times_alone() -> None:
    """Where the baseline has times alone, a case's presence and its latency are all there is to judge."""
    machine = {"processor": "Some Processor 9000", "cores": "8", "system": "Linux"}
    against = baseline({CELL: Timing(1.0, 0.1, 9, machine), "gone": Timing(1.0, 0.1, 9, machine)})
    found = named(Run({CELL: timed([4.0, 4.2, 3.8] * 4)}), against)
    assert found == [(CELL, CASE, "holds"), (CELL, "latency", "regression"), ("gone", CASE, "regression")]
    assert expected(CELL, Gate(), against) == (CASE, "latency")


def test_one_correction_over_the_run() -> None:
    """A loss that is a regression alone is undecided among many cases, in its own place among the verdicts."""
    old, new = side(letters([True] * 40)), side(letters([False] * 9 + [True] * 31))
    before, after = side(letters([True, False] * 20)), side(letters([False, True] * 20))
    many, moved = ({f"moved {place}": one for place in range(30)} for one in (before, after))
    alone = {(one.cell, one.metric): one for one in judged(Run({"lost": new}), baseline(lost=old), Gate())}
    run, held = Run({**moved, "lost": new}), baseline(**many, lost=old)
    among = {(one.cell, one.metric): one for one in judged(run, held, Gate())}
    assert alone["lost", "accuracy"].outcome == "regression"
    assert among["lost", "accuracy"].outcome == "undecided"
    strict = judged(run, held, Gate(undecided="fail"))
    assert ("lost", "accuracy") in {(one.cell, one.metric) for one in strict if one.failed}


def test_records_on_disk_are_judged_alike(tmp_path: Path) -> None:
    """What was written and read again, with its rows in a file, holds against what was not."""
    result = SIDES["arc"]
    assert result.record is not None
    write(result.record.model_copy(update={"lines": letters([True, False] * 8)}), tmp_path)
    (read,) = from_folder(tmp_path).cells
    assert {one.outcome for one in judged(Run({CELL: read}), baseline(**{CELL: result}), Gate())} == {"holds"}


def test_a_studys_gate_is_read() -> None:
    """A study's own table of margins is what the gates go by."""
    study = {"gate": {"arc": {"accuracy": "-0.5"}}}
    gate = Study.model_fields["gate"].annotation.model_validate(study["gate"])  # type: ignore[union-attr]
    old, new = side(letters([True] * 400)), side(letters([False] * 100 + [True] * 300))
    found = {one.metric: one.outcome for one in judged(Run({CELL: new}), baseline(**{CELL: old}), gate)}
    assert found["accuracy"] == "holds"
    assert found["macro_f1"] == "regression"


@settings(max_examples=10)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=12, max_size=12))
def test_swapped_runs_do_not_both_regress(pairs: list[tuple[bool, bool]]) -> None:
    """No figure regresses both ways."""
    old, new = (side(letters(one)) for one in zip(*pairs, strict=True))
    there, back = (
        {metric for _, metric, outcome in named(Run({CELL: a}), baseline(**{CELL: b})) if outcome == "regression"}
        for a, b in ((new, old), (old, new))
    )
    assert not there & back
