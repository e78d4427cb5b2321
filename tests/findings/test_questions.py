"""Questions Q1 to Q7: which candidates each sets against which, in what sign, and with what evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import line, took
from tests.making import record as made
from tunescale_core.findings.evidence import Evidence
from tunescale_core.findings.finding import Finding, settled
from tunescale_core.findings.questions import QUESTIONS
from tunescale_core.records.lines import Line
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.published import reference
from tunescale_core.results.ranks import Ties
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.stats.interval import Interval
from tunescale_core.tasks import Answer

PAPER = reference("paper")
SMALL, LARGE = "Qwen3-0.6B", "Qwen3-1.7B"
TASKS = ("arc", "openmath", "squad_v2")
WHAT = ("quality", "latency")
POSITIVE = st.floats(1e-3, 1e5)
FIGURES = st.lists(st.tuples(POSITIVE, POSITIVE), min_size=len(PAPER.cells), max_size=len(PAPER.cells))


def asked(question: str, results: Results = PAPER, ties: Ties = "latency") -> dict[str, Finding]:
    """Return a question's parts by what follows the question in their keys."""
    found = settled(QUESTIONS[question][1](Evidence(results, ties)))
    assert len({one.key for one in found}) == len(found)
    return {one.key.removeprefix(f"{question}."): one for one in found}


def with_figures(figures: list[tuple[float, float]]) -> Results:
    """Return the paper's table with other numbers in it."""
    cells = zip(PAPER.cells, figures, strict=True)
    return Results(tuple(replace(cell, quality=quality, latency=latency) for cell, (quality, latency) in cells))


def values(results: Results, candidate: Candidate, task: str) -> tuple[float, float]:
    """Return what the table has for a place, read off the cells."""
    (cell,) = [one for one in results.cells if (one.candidate, one.task) == (candidate, task)]
    assert cell.quality is not None
    assert cell.latency is not None
    return cell.quality, cell.latency


def full(task: str) -> Candidate:
    return Candidate(SMALL, "full", task)


def lora(rank: int, task: str) -> Candidate:
    return Candidate(SMALL, f"lora-r{rank}", task, rank)


BASE, LARGER = Candidate(SMALL, "base"), Candidate(LARGE, "base")
BETTER = {"arc": 1, "openmath": -1, "squad_v2": 1}
"""Of each task, whether more or less is better."""


@settings(max_examples=15)
@given(FIGURES)
def test_q1_is_arithmetic(figures: list[tuple[float, float]]) -> None:
    """For any table, Q1 is by how many percent full tuning improves quality, and changes latency, against its base."""
    results = with_figures(figures)
    found = asked("Q1", results)
    assert set(found) == {f"full-on-{on}.{task}.{what}" for on in TASKS for task in TASKS for what in WHAT}
    for on in TASKS:
        for task in TASKS:
            new, old = values(results, full(on), task), values(results, BASE, task)
            improved = (old[0] - new[0]) / old[0] if task == "openmath" else (new[0] - old[0]) / old[0]
            assert found[f"full-on-{on}.{task}.quality"].value == pytest.approx(100 * improved)
            assert found[f"full-on-{on}.{task}.latency"].value == pytest.approx(100 * (new[1] - old[1]) / old[1])
            assert found[f"full-on-{on}.{task}.quality"].merit == BETTER[task] * (new[0] - old[0])
            assert found[f"full-on-{on}.{task}.latency"].merit == old[1] - new[1]
            assert all(found[f"full-on-{on}.{task}.{what}"].aligned is (on == task) for what in WHAT)


@settings(max_examples=15)
@given(FIGURES)
def test_verdicts_of_a_table_follow_the_signs(figures: list[tuple[float, float]]) -> None:
    """Without examples each part is decided by the sign of its merit, and says that it rests on point values."""
    results = with_figures(figures)
    for question in QUESTIONS:
        if question == "Q4":
            continue
        for one in asked(question, results).values():
            assert (one.basis, one.interval, one.p, one.n) == ("point values", None, None, None)
            signs = {1: "supported", -1: "refuted", 0: "not enough evidence"}
            assert one.verdict == signs[int(math.copysign(1, one.merit)) if one.merit else 0]


@settings(max_examples=15)
@given(FIGURES)
def test_q2_compares_both_ways(figures: list[tuple[float, float]]) -> None:
    """Q2 sets the larger base against the small one for every task, and against full tuning on its own."""
    results = with_figures(figures)
    found = asked("Q2", results)
    pairs = {f"larger-base.{task}": (LARGER, BASE, task) for task in TASKS}
    pairs |= {f"larger-base-over-full-on-{task}.{task}": (LARGER, full(task), task) for task in TASKS}
    assert set(found) == {f"{name}.{what}" for name in pairs for what in WHAT}
    for name, (new, old, task) in pairs.items():
        ours, theirs = values(results, new, task), values(results, old, task)
        share = BETTER[task] * (ours[0] - theirs[0]) / theirs[0]
        assert found[f"{name}.quality"].value == pytest.approx(100 * share)
        assert found[f"{name}.latency"].value == pytest.approx(100 * (ours[1] - theirs[1]) / theirs[1])


@settings(max_examples=15)
@given(FIGURES)
def test_q3_and_q5_are_each_others_opposite(figures: list[tuple[float, float]]) -> None:
    """Q5 shows full tuning minus the best LoRA in the figure's unit, Q3 the same turned round in percent."""
    results = with_figures(figures)
    there, back = asked("Q3", results), asked("Q5", results)
    assert len(there) == len(back) == 6
    for task in TASKS:
        for what in WHAT:
            (one,) = [part for key, part in there.items() if key.endswith(f"-on-{task}.{task}.{what}")]
            other = back[f"full-on-{task}.{task}.{what}"]
            assert other.value == pytest.approx(other.inputs["new"] - other.inputs["old"])
            assert (one.inputs["new"], one.inputs["old"]) == (other.inputs["old"], other.inputs["new"])
            assert one.merit == -other.merit
            assert other.unit == ("s" if what == "latency" else {"arc": "fraction", "squad_v2": "points"}.get(task, ""))


@settings(max_examples=15)
@given(FIGURES)
def test_q3_takes_the_best_lora(figures: list[tuple[float, float]]) -> None:
    """The LoRA that Q3 names for a task is none worse than any other there."""
    results = with_figures(figures)
    found = asked("Q3", results)
    for task in TASKS:
        (best,) = [part for key, part in found.items() if key.endswith(f"-on-{task}.{task}.quality")]
        ranks = [one.rank for one in results.candidates if one.trained_on == task and one.rank]
        others = [BETTER[task] * values(results, lora(rank, task), task)[0] for rank in ranks]
        assert BETTER[task] * best.inputs["new"] == max(others)


@pytest.mark.parametrize(("ties", "rank", "others"), [("latency", 256, "1024, 32"), ("first", 1024, "256, 32")])
def test_ties_are_told(ties: Ties, rank: int, others: str) -> None:
    """Where LoRAs tie the note says which rule chose among them, and which they are."""
    one = asked("Q3", ties=ties)[f"lora-r{rank}-on-squad_v2.squad_v2.quality"]
    named = ", ".join(f"lora-r{other}" for other in others.split(", "))
    assert one.note.startswith(f"lora-r{rank} is the best LoRA by best quality; of equals")
    assert one.note.endswith(f"; ties with {named}")
    assert "ties with" not in asked("Q3", ties=ties)["lora-r64-on-arc.arc.quality"].note


@pytest.mark.parametrize(
    ("key", "n", "printed"),
    [
        ("arc.score", 5, "+0.021"),
        ("arc.latency", 5, "-0.646"),
        ("openmath.score", 3, "+0.302"),
        ("openmath.latency", 3, "-0.233"),
        ("squad_v2.latency", 3, "+0.321"),
    ],
)
def test_q4_is_pearsons_r(key: str, n: int, printed: str) -> None:
    """Q4's value is r of raw rank; the note has the other two coefficients, and five ranks settle nothing."""
    one = asked("Q4")[f"lora.{key}"]
    assert (f"{one.value:+.3f}", one.n, one.unit) == (printed, n, "r")
    assert (one.basis, one.verdict, one.interval) == ("test", "not enough evidence", None)
    assert one.value is not None
    assert one.merit == abs(one.value)
    assert "log2 rank " in one.note
    assert "Spearman " in one.note
    assert set(one.inputs) == {"ranks", "log2 rank", "Spearman"}
    assert one.enough is not None
    assert one.enough > n


def test_q4_without_a_correlation() -> None:
    """A score that is the same at every rank leaves Q4 undefined there, and says why."""
    one = asked("Q4")["lora.squad_v2.score"]
    assert (one.value, one.p, one.enough, one.n) == (None, None, None, 3)
    assert (one.verdict, one.basis) == ("not enough evidence", "nothing")
    assert one.note.startswith("undefined: fewer than three ranks")


def test_q4_sees_what_goes_with_rank() -> None:
    """Scores that rise evenly over six ranks go with rank; the sign of r does not matter to the verdict."""
    for slope in (1, -1):
        records = [
            made(f"lora-r{rank}", "arc", metrics={"macro_f1": 0.5 + slope * rank / 1000 + rank % 3 / 5000})
            for rank in range(8, 56, 8)
        ]
        one = asked("Q4", Results(tuple(map(from_record, records))))["lora.arc.score"]
        assert one.value is not None
        assert one.value * slope > 0.9
        assert one.verdict == "supported"


@settings(max_examples=15)
@given(FIGURES)
def test_q6_is_the_whole_matrix(figures: list[tuple[float, float]]) -> None:
    """Q6 has every tuned candidate on every task against the base, each named by what it is."""
    results = with_figures(figures)
    found = asked("Q6", results)
    tuned = [one for one in results.candidates if one.tuned]
    assert set(found) == {f"{results.label(one)}.{task}.quality" for one in tuned for task in TASKS}
    for one in tuned:
        for task in TASKS:
            part = found[f"{results.label(one)}.{task}.quality"]
            gain = BETTER[task] * (values(results, one, task)[0] - values(results, BASE, task)[0])
            assert part.merit == gain
            name = "the task itself" if one.trained_on == task else "transfer" if gain > 0 else "forgetting"
            assert part.note == (name if gain else "no change")


@settings(max_examples=15)
@given(FIGURES)
def test_q7_has_every_rank(figures: list[tuple[float, float]]) -> None:
    """Q7 sets every LoRA against the untuned model on the task it was tuned on."""
    results = with_figures(figures)
    found = asked("Q7", results)
    loras = [one for one in results.candidates if one.rank]
    assert set(found) == {f"{results.label(one)}.{one.trained_on}.{what}" for one in loras for what in WHAT}
    for one in loras:
        assert one.trained_on is not None
        new, old = values(results, one, one.trained_on), values(results, BASE, one.trained_on)
        share = BETTER[one.trained_on] * (new[0] - old[0]) / old[0]
        assert found[f"{results.label(one)}.{one.trained_on}.quality"].value == pytest.approx(100 * share)


def lines(share: float, pace: float, seed: int) -> list[Line]:
    """Return sixty answers of which about so many are right, at about this pace."""
    rng = np.random.default_rng(seed)
    return [
        line(
            Answer((gold,), gold if rng.random() < share else "BCDA"["ABCD".index(gold)]),
            place=place,
            **took(pace * (1 + float(rng.random()) / 10)),
        )
        for place, gold in enumerate("ABCD" * 15)
    ]


def study(shares: Mapping[str, float], paces: Mapping[str, float]) -> Results:
    """Return records on ARC: full tuning, three LoRAs, the untuned model, and a larger one."""
    records = [
        made(
            "base" if name == "larger" else name,
            None if name in {"base", "larger"} else "arc",
            lines=lines(share, paces[name], seed),
            model="big" if name == "larger" else "m",
        )
        for seed, (name, share) in enumerate(shares.items())
    ]
    return Results(tuple(map(from_record, records)))


SHARES = {"full": 0.95, "lora-r8": 0.7, "lora-r4": 0.6, "lora-r2": 0.6, "base": 0.3, "larger": 0.6}
PACES = {"full": 0.1, "lora-r8": 0.5, "lora-r4": 0.6, "lora-r2": 0.7, "base": 1.0, "larger": 3.0}


def test_records_with_rows_carry_evidence() -> None:
    """Findings from examples have an interval around their merit, p, n, and how many examples would settle them."""
    results = study(SHARES, PACES)
    for question in QUESTIONS:
        if question == "Q4":
            continue
        found = asked(question, results)
        assert found
        for one in found.values():
            assert one.basis == "interval"
            assert one.interval is not None
            assert one.interval.low <= one.merit == one.interval.value <= one.interval.high
            assert one.p is not None
            assert one.p_adjusted is not None
            assert one.p <= one.p_adjusted <= 1
            assert one.n == 60
            assert one.enough is None or one.enough >= 2


@pytest.mark.parametrize(
    ("question", "key", "verdict"),
    [
        ("Q1", "full-on-arc.arc.quality", "supported"),
        ("Q1", "full-on-arc.arc.latency", "supported"),
        ("Q2", "larger-base.arc.quality", "supported"),
        ("Q2", "larger-base.arc.latency", "refuted"),
        ("Q2", "larger-base-over-full-on-arc.arc.quality", "refuted"),
        ("Q3", "lora-r8-on-arc.arc.quality", "refuted"),
        ("Q3", "lora-r8-on-arc.arc.latency", "refuted"),
        ("Q5", "full-on-arc.arc.quality", "supported"),
        ("Q5", "full-on-arc.arc.latency", "supported"),
        ("Q6", "lora-r4-on-arc.arc.quality", "supported"),
        ("Q7", "lora-r2-on-arc.arc.latency", "supported"),
    ],
)
def test_clear_records_settle_the_questions(question: str, key: str, verdict: str) -> None:
    """Where one side is clearly better and faster on the examples, the claim is settled as its sign says."""
    assert asked(question, study(SHARES, PACES))[key].verdict == verdict


def test_unclear_records_settle_nothing() -> None:
    """Where both sides do as well, there is not enough evidence, and more examples than there are would be needed."""
    same = study(SHARES | {"full": 0.55, "base": 0.5}, PACES | {"full": 1.0})
    found = asked("Q1", same)
    for one in found.values():
        assert one.interval is not None
        assert one.interval.low <= 0 <= one.interval.high
        assert one.verdict == "not enough evidence"
        assert one.enough is not None
        assert one.enough > 60


def test_less_latency_is_for_the_claim() -> None:
    """A faster candidate's latency has a merit and an interval above zero, and a value below."""
    one = asked("Q1", study(SHARES, PACES))["full-on-arc.arc.latency"]
    assert one.value == pytest.approx(-90, abs=2)
    assert isinstance(one.interval, Interval)
    assert 0 < one.interval.low < one.merit == pytest.approx(0.945, abs=0.05)


def test_several_models_are_told_apart() -> None:
    """With two tuned models each has its own parts, under its name, Q4's included."""
    records = [
        made(method, None if method == "base" else "arc", model=model, metrics={"macro_f1": 0.1 + place / 10})
        for model in ("s", "t")
        for place, method in enumerate(("base", "full", "lora-r2", "lora-r4", "lora-r8"))
    ]
    results = Results(tuple(map(from_record, records)))
    assert set(asked("Q1", results)) == {"s-full-on-arc.arc.quality", "t-full-on-arc.arc.quality"}
    assert set(asked("Q4", results)) == {"s-lora.arc.score", "t-lora.arc.score"}
    assert set(asked("Q3", results)) == {"s-lora-r8-on-arc.arc.quality", "t-lora-r8-on-arc.arc.quality"}


@pytest.mark.parametrize(
    ("left_out", "silent"),
    [
        ("full", {"Q1", "Q3", "Q5"}),
        ("lora", {"Q3", "Q4", "Q5", "Q7"}),
        ("larger", {"Q2"}),
        ("base", {"Q1", "Q6", "Q7"}),
        ("tuned", set(QUESTIONS)),
    ],
)
def test_questions_without_candidates_have_no_parts(left_out: str, silent: set[str]) -> None:
    """A question that a study cannot answer has no parts there, and the others have theirs."""

    def kept(one: Candidate) -> bool:
        kinds = {"full": one.is_full, "lora": one.rank is not None, "larger": one == LARGER, "base": one == BASE}
        return not (one.tuned if left_out == "tuned" else kinds[left_out])

    results = Results(tuple(cell for cell in PAPER.cells if kept(cell.candidate)))
    assert {question for question in QUESTIONS if not asked(question, results)} == silent
