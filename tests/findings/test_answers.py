"""All findings together: their order, one correction over all of them, and studies that leave something out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import groupby

import pytest

from tests.making import line, took
from tests.making import record as made
from tunescale_core.findings.answers import EVERYTHING, answers
from tunescale_core.findings.finding import Finding
from tunescale_core.records.lines import Line
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.published import reference
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.sensors.readings import BUSY, Readings
from tunescale_core.stats.corrected import adjusted
from tunescale_core.tasks import Answer

PAPER = reference("paper")
LARGER = Candidate("Qwen3-1.7B", "base")
QUESTIONS = [f"Q{number}" for number in range(1, 8)] + [f"C{number}" for number in range(1, 8)]


def lines(right: int, pace: float) -> list[Line]:
    """Return forty answers, the first so many of them right, at this pace."""
    return [
        line(
            Answer((gold,), gold if place < right else "BCDA"["ABCD".index(gold)]),
            place=place,
            **took(pace * (1 + place % 3 / 100)),
        )
        for place, gold in enumerate("ABCD" * 10)
    ]


def measured(loads: Mapping[str, float] | None = None) -> Results:
    """Return a study on ARC with full tuning, two LoRAs, the untuned model and a larger one.

    Args:
        loads: Others' load while a candidate was timed, by its id.
    """
    records = [
        made("full", "arc", lines=lines(38, 0.1), seed=0),
        made("lora-r8", "arc", lines=lines(20, 0.5), seed=0),
        made("lora-r4", "arc", lines=lines(19, 0.5), seed=0),
        made(lines=lines(10, 1.0)),
        made(model="big", lines=lines(30, 2.0)),
    ]
    found = [from_record(one) for one in records]
    assert (loads or {}).keys() <= {one.candidate.id for one in found}
    beside = [Readings(others=(loads or {}).get(one.candidate.id)) for one in found]
    loaded = [one.model_copy(update={"readings": found}) for one, found in zip(records, beside, strict=True)]
    return Results(tuple(map(from_record, loaded)))


def parts(found: tuple[Finding, ...], question: str) -> list[Finding]:
    return [one for one in found if one.question == question and not one.is_summary]


@pytest.mark.parametrize("results", [PAPER, measured()], ids=["paper", "measured"])
def test_every_question_is_answered_in_order(results: Results) -> None:
    """Q1 to Q7 and C1 to C7 come in order, each as a whole first, its parts after it; no key comes twice."""
    found = answers(results)
    assert [question for question, _ in groupby(found, key=lambda one: one.question)] == QUESTIONS == list(EVERYTHING)
    for question, group in groupby(found, key=lambda one: one.question):
        whole, *rest = group
        assert whole.key == question
        assert whole.claim == EVERYTHING[question][0]
        assert not any(one.is_summary for one in rest)
    assert len({one.key for one in found}) == len(found)


def test_q1_is_answered_by_the_aligned_parts() -> None:
    """Whether tuning is worth it rests on the task tuned on alone: six of the paper's eighteen parts."""
    found = answers(PAPER)
    whole = next(one for one in found if one.key == "Q1")
    assert whole.unit == "of 6"
    assert sum(whole.inputs.values()) == 6
    assert len(parts(found, "Q1")) == 18
    assert whole.note.startswith("against it: Q1.full-on-arc.arc.quality; ")


def test_q6_is_answered_by_the_other_parts() -> None:
    """Whether other tasks are unharmed does not rest on the task tuned on: 28 of the paper's 42 parts."""
    found = answers(PAPER)
    whole = next(one for one in found if one.key == "Q6")
    assert whole.unit == "of 28"
    assert len(parts(found, "Q6")) == 42
    assert "-on-arc.arc." not in whole.note


@pytest.mark.parametrize("question", sorted(set(QUESTIONS) - {"Q1", "Q2", "Q6"}))
def test_other_questions_are_answered_by_all_parts(question: str) -> None:
    """These answers count all parts by their verdicts."""
    found = answers(PAPER)
    whole, own = next(one for one in found if one.key == question), parts(found, question)
    counts = {name: sum(one.verdict == name for one in own) for name in ("supported", "refuted", "not enough evidence")}
    assert whole.inputs == counts
    assert whole.basis == "parts"


def test_p_values_are_corrected_over_all_questions() -> None:
    """There is one correction, over the comparisons of all questions together, each counted once."""
    found = [one for one in answers(measured()) if one.p is not None]
    assert len({one.question for one in found}) > 8
    tests = {(tuple(sorted(one.inputs.values())), one.n, one.p): one.p_adjusted for one in found}
    assert 8 < len(tests) < len(found)
    assert list(tests.values()) == pytest.approx(adjusted([p for _, _, p in tests if p is not None]))


def test_findings_from_examples_carry_evidence() -> None:
    """Made-up records with rows give intervals, p and n; the whole has none of its own."""
    found = answers(measured())
    one = next(one for one in found if one.key == "Q1.full-on-arc.arc.quality")
    assert one.interval is not None
    assert one.interval.excludes_zero
    assert (one.n, one.basis, one.verdict) == (40, "interval", "supported")
    assert one.p_adjusted is not None
    assert one.p_adjusted < 0.05
    for whole in (one for one in found if one.is_summary):
        assert (whole.interval, whole.p, whole.n) == (None, None, None)
    assert next(one for one in found if one.key == "Q1").verdict == "supported"


def verdicts(loads: Mapping[str, float]) -> dict[str, str]:
    return {one.key: one.verdict for one in answers(measured(loads))}


@pytest.mark.parametrize("load", [BUSY - 0.01, 0.0])
def test_a_quiet_machine_leaves_every_verdict(load: float) -> None:
    """What others do below the limit is no reason to doubt a latency."""
    assert verdicts({"m-base": load}) == verdicts({})


def test_a_slower_one_timed_beside_others_load_is_no_evidence() -> None:
    """Where the untuned model was timed beside others' load, that tuning is faster than it stays open, and so Q1.

    Nothing else changes but what is slower than something by the same time.
    """
    quiet, loaded = verdicts({}), verdicts({"m-base": 1.5})
    key = "Q1.full-on-arc.arc.latency"
    assert (quiet[key], loaded[key]) == ("supported", "not enough evidence")
    assert (quiet["Q1"], loaded["Q1"]) == ("supported", "not enough evidence")
    (one,) = [one for one in answers(measured({"m-base": 1.5})) if one.key == key]
    assert "m-base (load 1.5)" in one.note
    assert one.note.endswith("time it again")
    assert (one.basis, one.enough) == ("interval", None)
    changed = {key for key in quiet if quiet[key] != loaded[key] and "." in key}
    assert changed == {key, *(f"Q7.lora-r{rank}-on-arc.arc.latency" for rank in (8, 4))}


def test_a_faster_one_timed_beside_others_load_is_faster() -> None:
    """Load only adds to a time: what is faster beside it is faster without, and keeps its verdict."""
    assert verdicts({"m-full-on-arc": 2.0}) == verdicts({})


def test_ranks_timed_beside_others_load_say_nothing_of_rank() -> None:
    """A correlation of rank and latency rests on every rank; that of rank and score on no time at all."""
    found = {one.key: one for one in answers(measured({"m-lora-r4-on-arc": 0.5}))}
    assert found["Q4.lora.arc.latency"].doubt
    assert not found["Q4.lora.arc.score"].doubt


def test_the_less_steady_one_timed_beside_others_load_is_no_evidence() -> None:
    """That the larger model's calls vary more may be others' doing; that the tuned one's vary less is not."""
    key = "C7.full-on-arc.arc.spread"
    assert verdicts({})[key] == verdicts({"m-full-on-arc": 1.0})[key] == "supported"
    assert verdicts({"big-base": 1.0})[key] == "not enough evidence"


def test_ties_are_decided_by_the_rule_given() -> None:
    """The rule decides which LoRA stands for a task where several are as good."""
    keys = {ties: {one.key for one in answers(PAPER, ties)} for ties in ("latency", "first")}  # type: ignore[arg-type]
    assert "Q3.lora-r256-on-squad_v2.squad_v2.quality" in keys["latency"] - keys["first"]
    assert "Q3.lora-r1024-on-squad_v2.squad_v2.quality" in keys["first"] - keys["latency"]


def kept(keep: Callable[[Candidate], bool]) -> Results:
    return Results(tuple(cell for cell in PAPER.cells if keep(cell.candidate)))


PARTIAL = {
    "no LoRA": (kept(lambda one: one.rank is None), {"Q3", "Q4", "Q5", "Q7", "C1", "C3", "C5", "C6"}),
    "no full tuning": (kept(lambda one: not one.is_full), {"Q1", "Q3", "Q5", "C1", "C3", "C5", "C6", "C7"}),
    "no larger model": (kept(lambda one: one != LARGER), {"Q2", "C2", "C4", "C7"}),
    "untuned models alone": (kept(lambda one: not one.tuned), set(QUESTIONS)),
    "one candidate": (kept(lambda one: one == LARGER), set(QUESTIONS)),
}


@pytest.mark.parametrize("study", list(PARTIAL))
def test_what_a_study_cannot_answer(study: str) -> None:
    """A question without anything to compare has no parts, is not decided, and says where to look; others stand."""
    results, silent = PARTIAL[study]
    found = answers(results)
    assert {question for question in QUESTIONS if not parts(found, question)} == silent
    for whole in (one for one in found if one.is_summary):
        if whole.question in silent:
            assert (whole.verdict, whole.basis, whole.value) == ("not enough evidence", "nothing", 0.0)
            assert whole.note == "nothing to answer it with: see what it compares in docs/findings.md"
        else:
            assert whole.basis == "parts"
    assert [one.key for one in found if one.is_summary] == QUESTIONS


def test_a_study_of_one_task() -> None:
    """With a single task tuned on and asked, there is no other task to forget: Q6, C5 and C6 stay open."""
    cells = [cell for cell in PAPER.cells if cell.task == "arc" and cell.candidate.trained_on in {"arc", None}]
    found = answers(Results(tuple(cells)))
    silent = {question for question in QUESTIONS if not parts(found, question)}
    assert silent == {"C5", "C6"}
    q6 = next(one for one in found if one.key == "Q6")
    assert (q6.verdict, q6.basis) == ("not enough evidence", "nothing")
    assert {one.aligned for one in parts(found, "Q6")} == {True}


def test_a_study_whose_cells_all_failed() -> None:
    """Cells without figures are compared nowhere, and crash nothing."""
    failed = {"key": None, "error": "ModelError: gone", "cost": None}
    records = [
        made("full", "arc", **failed),
        made("lora-r4", "arc", **failed),
        made(**failed),
        made(model="b", **failed),
    ]
    found = answers(Results(tuple(map(from_record, records))))
    assert [one.key for one in found] == QUESTIONS
    assert {one.verdict for one in found} == {"not enough evidence"}


@pytest.mark.parametrize("missing", ["quality", "latency"])
def test_a_table_of_one_kind_of_figure(missing: str) -> None:
    """Without any latency, or without any quality, the parts about it are gone and the others stand."""
    found = answers(Results(tuple(replace(cell, **{missing: None}) for cell in PAPER.cells)))  # type: ignore[arg-type]
    kinds = {one.key.rsplit(".", 1)[-1] for one in found if not one.is_summary}
    assert kinds.isdisjoint({"quality", "score"} if missing == "quality" else {"latency"})
    assert kinds


def test_a_training_task_that_was_never_asked_is_no_fault() -> None:
    """A model tuned on a task that nothing was asked has its findings on the others."""
    cells = [made("full", "arc", "squad_v2", metrics={"f1": 5.0}, seed=0), made(task="squad_v2", metrics={"f1": 4.0})]
    found = {one.key: one for one in answers(Results(tuple(map(from_record, cells))))}
    assert found["Q1.full-on-arc.squad_v2.quality"].value == pytest.approx(25.0)


def test_a_gap_keeps_its_question_open() -> None:
    """A base that was not asked the task, as others were, leaves the question open and is named."""
    full = [made("full", "arc", metrics={"macro_f1": 0.9}), made("full", "arc", "squad_v2", metrics={"f1": 50.0})]
    gap = [*full, made(task="squad_v2", metrics={"f1": 40.0})]
    found = {one.key: one for one in answers(Results(tuple(map(from_record, gap))))}
    assert found["Q1.full-on-arc.arc.quality"].note == "not measured: m-base for arc"
    assert found["Q1"].verdict == "not enough evidence"


def test_no_two_findings_share_a_key() -> None:
    """With two tuned and two larger models every finding has a key of its own."""
    methods = [("base", None), ("full", "arc"), ("lora-r2", "arc"), ("lora-r4", "arc"), ("lora-r8", "arc")]
    pairs = [(model, method, on) for model in ("s", "t") for method, on in methods]
    pairs += [(model, "base", None) for model in ("large", "huge")]
    records = [
        made(method, on, model=model, lines=[line(place=n, seconds=0.1 + place + n) for n in range(4)])
        for place, (model, method, on) in enumerate(pairs)
    ]
    keys = [one.key for one in answers(Results(tuple(map(from_record, records))))]
    assert len(set(keys)) == len(keys)
