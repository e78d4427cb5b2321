"""Conclusions C1 to C7: each computed from what it claims, in its own sign."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import COST, line, took
from tests.making import record as made
from tunescale_core.findings.conclusions import CONCLUSIONS
from tunescale_core.findings.evidence import Evidence
from tunescale_core.findings.finding import Finding, settled
from tunescale_core.provenance import provenance
from tunescale_core.records.lines import Line
from tunescale_core.records.record import Record
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.published import reference
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tasks import Answer

PAPER = reference("paper")
LARGER = Candidate("Qwen3-1.7B", "base")
TASKS = ("arc", "openmath", "squad_v2")
WHAT = ("quality", "latency")
POSITIVE = st.floats(1e-3, 1e5)
FIGURES = st.lists(st.tuples(POSITIVE, POSITIVE), min_size=len(PAPER.cells), max_size=len(PAPER.cells))


def concluded(conclusion: str, results: Results = PAPER) -> dict[str, Finding]:
    """Return a conclusion's parts by what follows it in their keys."""
    found = settled(CONCLUSIONS[conclusion][1](Evidence(results)))
    assert len({one.key for one in found}) == len(found)
    return {one.key.removeprefix(f"{conclusion}."): one for one in found}


def with_figures(figures: list[tuple[float, float]]) -> Results:
    """Return the paper's table with other numbers in it."""
    cells = zip(PAPER.cells, figures, strict=True)
    return Results(tuple(replace(cell, quality=quality, latency=latency) for cell, (quality, latency) in cells))


def results(*records: Record) -> Results:
    return Results(tuple(map(from_record, records)))


def trained(method: str, peak: int, **fields: object) -> Record:
    """Return a record of training that took so many bytes at its peak."""
    cost = COST.model_copy(update={"peak_memory_bytes": peak})
    return made(method, "arc", metrics={"macro_f1": 0.5}, cost=cost, **fields)


def test_c1_is_full_against_the_best_lora() -> None:
    """On the paper's table full tuning loses to LoRA on ARC's score and on SQuAD v2's latency, and nowhere else."""
    found = concluded("C1")
    assert set(found) == {f"full-on-{task}.{task}.{what}" for task in TASKS for what in WHAT}
    refuted = {key for key, one in found.items() if one.verdict == "refuted"}
    assert refuted == {"full-on-arc.arc.quality", "full-on-squad_v2.squad_v2.latency"}
    assert found["full-on-arc.arc.quality"].inputs == {"new": 0.4905, "old": 0.4937}
    assert found["full-on-squad_v2.squad_v2.latency"].inputs == {"new": 0.2202, "old": 0.1908}


def test_c2_sets_the_larger_base_against_the_best_small_one() -> None:
    """The rival is the best of all small candidates, whatever it was tuned on, the untuned one included."""
    found = concluded("C2")
    assert set(found) == {
        *(f"larger-base.{task}.quality" for task in TASKS),
        *(f"full-on-{task}.{task}.latency" for task in TASKS),
    }
    assert found["larger-base.arc.quality"].inputs == {"new": 0.7986, "old": 0.5171}
    assert found["larger-base.arc.quality"].note == "against the best small one"
    assert found["larger-base.openmath.quality"].inputs == {"new": 742.0, "old": 16540.0}
    assert all(one.verdict == "supported" for one in found.values())


@settings(max_examples=15)
@given(FIGURES)
def test_c2_rivals_are_unbeaten(figures: list[tuple[float, float]]) -> None:
    """In any table the larger base is held against the highest F1 and the lowest distance of the small model."""
    table = with_figures(figures)
    found = concluded("C2", table)
    for task in TASKS:
        small = [cell for cell in table.cells if cell.task == task and cell.candidate.model != LARGER.model]
        best = (min if task == "openmath" else max)(cell.quality for cell in small if cell.quality is not None)
        assert found[f"larger-base.{task}.quality"].inputs["old"] == best


@settings(max_examples=15)
@given(FIGURES)
def test_c3_is_the_spread_of_ranks_against_that_of_tuning(figures: list[tuple[float, float]]) -> None:
    """In any table C3 is how far full tuning moves the score, less how far the ranks lie apart."""
    table = with_figures(figures)
    found = concluded("C3", table)
    assert set(found) == {f"lora.{task}.quality" for task in TASKS}
    for task in TASKS:
        here = {cell.candidate: cell.quality or 0.0 for cell in table.cells if cell.task == task}
        ranks = [value for one, value in here.items() if one.rank and one.trained_on == task]
        moved = abs(here[Candidate("Qwen3-0.6B", "full", task)] - here[Candidate("Qwen3-0.6B", "base")])
        one = found[f"lora.{task}.quality"]
        assert one.value == one.merit == pytest.approx(moved - (max(ranks) - min(ranks)))
        assert one.inputs["ranks"] == len(ranks)


def test_c3_fails_on_the_papers_arc() -> None:
    """On ARC the paper's ranks lie further apart than full tuning moves the score."""
    one = concluded("C3")["lora.arc.quality"]
    assert one.verdict == "refuted"
    assert one.inputs["between ranks"] == pytest.approx(0.4937 - 0.4861)
    assert one.inputs["full against base"] == pytest.approx(0.4932 - 0.4905)


def test_one_rank_has_no_spread() -> None:
    """With a single rank, or without full tuning or the untuned model, C3 has nothing to say."""
    scored = {
        method: made(method, on, metrics={"macro_f1": 0.5})
        for method, on in (("lora-r4", "arc"), ("lora-r8", "arc"), ("full", "arc"), ("base", None))
    }
    assert concluded("C3", results(*scored.values()))
    for left_out in ("lora-r4", "full", "base"):
        rest = [one for method, one in scored.items() if method != left_out]
        assert concluded("C3", results(*rest)) == {}


def test_c4_takes_the_better_way_to_tune() -> None:
    """The paper's best small candidate is LoRA on ARC and full tuning elsewhere; none reaches the larger base."""
    found = concluded("C4")
    assert set(found) == {
        "lora-r64-on-arc.arc.quality",
        "full-on-openmath.openmath.quality",
        "full-on-squad_v2.squad_v2.quality",
    }
    assert all(one.verdict == "refuted" for one in found.values())
    assert found["full-on-squad_v2.squad_v2.quality"].value == pytest.approx(100 * (27.95 - 30.36) / 30.36)


def test_c5_forgetting_of_the_paper() -> None:
    """Full tuning loses at worst 26.5 % of a task that it was not tuned on, LoRA 19.7 %."""
    found = concluded("C5")
    assert set(found) == {"lora.others.forgetting"}
    one = found["lora.others.forgetting"]
    assert one.inputs["full"] == pytest.approx(100 * (10.07 - 7.40) / 10.07)
    assert one.inputs["lora"] == pytest.approx(100 * (10.07 - 8.09) / 10.07)
    assert one.value == pytest.approx(one.inputs["full"] - one.inputs["lora"])
    assert (one.verdict, one.basis, one.unit) == ("supported", "point values", "points")


def test_c5_memory() -> None:
    """LoRA is safer where its costliest rank still trains in less memory than full tuning."""
    found = concluded("C5", results(trained("full", 900), trained("lora-r4", 500), trained("lora-r8", 700)))
    one = found["lora.arc.memory"]
    assert one.inputs == pytest.approx({"full": 9e-7, "largest LoRA": 7e-7})
    assert (one.value, one.unit, one.verdict) == (pytest.approx(2e-7), "GB", "supported")
    found = concluded("C5", results(trained("full", 600), trained("lora-r4", 500), trained("lora-r8", 700)))
    assert (found["lora.arc.memory"].value, found["lora.arc.memory"].verdict) == (pytest.approx(-1e-7), "refuted")


def test_c5_memory_of_whole_processes_is_not_compared() -> None:
    """On this machine's CPU, whose peaks hold the libraries too, there is no verdict on memory, and the reason."""
    here = {"provenance": provenance("cpu")}
    found = concluded("C5", results(trained("full", 600, **here), trained("lora-r4", 700, **here)))
    one = found["lora.arc.memory"]
    assert (one.value, one.verdict) == (None, "not enough evidence")
    assert "not compared" in one.note


def test_c5_memory_is_the_most_that_any_seed_took() -> None:
    """Of several seeds the largest peak counts; without full tuning or without LoRA nothing is compared."""
    seeds = [trained("full", 900, seed=0), trained("full", 950, seed=1)]
    found = concluded("C5", results(*seeds, trained("lora-r4", 500)))
    assert found["lora.arc.memory"].inputs == pytest.approx({"full": 9.5e-7, "largest LoRA": 5e-7})
    assert concluded("C5", results(*seeds)) == {}
    assert concluded("C5", results(trained("lora-r4", 500))) == {}


def test_c6_of_the_paper() -> None:
    """Full tuning gains and loses more on other tasks than LoRA at any rank: 87.6 % and 26.5 % at most."""
    found = concluded("C6")
    assert set(found) == {"full.others.upside", "full.others.downside"}
    up, down = found["full.others.upside"], found["full.others.downside"]
    assert up.inputs == pytest.approx({"full": 100 * (18.89 - 10.07) / 10.07, "lora": 100 * (24834 - 22871) / 24834})
    assert down.inputs == pytest.approx({"full": 100 * 2.67 / 10.07, "lora": 100 * 1.98 / 10.07})
    assert up.verdict == down.verdict == "supported"


@settings(max_examples=15)
@given(FIGURES)
def test_c5_and_c6_in_any_table(figures: list[tuple[float, float]]) -> None:
    """The extremes are those of the gains in percent on tasks not tuned on, and the verdicts follow from them."""
    table = with_figures(figures)
    gains: dict[str, list[float]] = {"full": [0.0], "lora": [0.0]}
    for candidate in table.candidates:
        for task in TASKS:
            if not candidate.tuned or candidate.trained_on == task:
                continue
            new, old = table.quality(candidate, task), table.quality(candidate.base, task)
            assert new is not None
            assert old is not None
            gain = (old - new if task == "openmath" else new - old) / old
            gains["full" if candidate.is_full else "lora"].append(100 * gain)
    found = concluded("C5", table) | concluded("C6", table)
    for name, pick in (("full.others.upside", max), ("full.others.downside", min)):
        extremes = {kind: abs(pick(values)) for kind, values in gains.items()}
        assert found[name].inputs == pytest.approx(extremes)
        assert found[name].merit == pytest.approx(extremes["full"] - extremes["lora"])
    worst = {kind: -min(values) for kind, values in gains.items()}
    assert found["lora.others.forgetting"].merit == pytest.approx(worst["full"] - worst["lora"])


def test_c7_of_the_paper() -> None:
    """On the paper's table only latency is compared, and full tuning is faster on every task."""
    found = concluded("C7")
    assert set(found) == {f"full-on-{task}.{task}.latency" for task in TASKS}
    assert all(one.verdict == "supported" for one in found.values())


def timed(paces: list[float]) -> list[Line]:
    return [line(Answer(("A",), "A"), place=place, seconds=pace) for place, pace in enumerate(paces)]


def test_c7_spread() -> None:
    """Where calls were timed, their standard deviations are compared: the steadier side has it lower."""
    steady, restless = timed([1.0, 1.2] * 5), timed([1.0, 3.0] * 5)
    for new, old, verdict in ((steady, restless, "supported"), (restless, steady, "refuted")):
        found = concluded("C7", results(made("full", "arc", lines=new), made(model="big", lines=old)))
        one = found["full-on-arc.arc.spread"]
        assert (one.verdict, one.basis, one.unit) == (verdict, "interval", "s")
        assert one.value is not None
        assert -one.value == one.merit == pytest.approx(one.inputs["old"] - one.inputs["new"])
        assert one.p is not None
        assert one.p < 0.05
        assert {round(size, 3) for size in one.inputs.values()} == {0.105, 1.054}
        assert found["full-on-arc.arc.latency"].n == 10


def test_several_tuned_models_are_told_apart() -> None:
    """With two tuned models the parts that name no candidate name their model."""
    records = [
        trained(method, peak, model=model)
        for model in ("s", "t")
        for method, peak in (("full", 900), ("lora-r4", 500), ("lora-r8", 600))
    ]
    bases = [made(model=model, metrics={"macro_f1": 0.4}) for model in ("s", "t")]
    assert set(concluded("C5", results(*records))) == {"s-lora.arc.memory", "t-lora.arc.memory"}
    assert set(concluded("C3", results(*records, *bases))) == {"s-lora.arc.quality", "t-lora.arc.quality"}


@pytest.mark.parametrize(
    ("left_out", "silent"),
    [
        ("full", {"C1", "C3", "C5", "C6", "C7"}),
        ("lora", {"C1", "C3", "C5", "C6"}),
        ("larger", {"C2", "C4", "C7"}),
        ("base", {"C3", "C5", "C6"}),
        ("tuned", set(CONCLUSIONS)),
    ],
)
def test_conclusions_without_candidates_have_no_parts(left_out: str, silent: set[str]) -> None:
    """A conclusion about what a study does not have has no parts there, and the others have theirs."""

    def kept(one: Candidate) -> bool:
        if left_out == "tuned":
            return not one.tuned
        untuned = {"larger": one == LARGER, "base": not one.tuned and one != LARGER}
        return not (untuned | {"full": one.is_full, "lora": one.rank is not None})[left_out]

    table = Results(tuple(cell for cell in PAPER.cells if kept(cell.candidate)))
    assert {name for name in CONCLUSIONS if not concluded(name, table)} == silent


def test_the_best_of_several_is_tested_as_one_of_several() -> None:
    """Against the best of two LoRAs p is twice that of the pair alone; a latency, which chose nobody, keeps its own."""

    def asked(method: str, right: int) -> Record:
        answers = [Answer(("A",), "A" if place < right else "B") for place in range(40)]
        lines = [line(one, place=place, **took(0.1 + place / 100 + right / 1000)) for place, one in enumerate(answers)]
        return made(method, "arc", lines=lines)

    alone = concluded("C1", results(asked("full", 36), asked("lora-r4", 28)))
    several = concluded("C1", results(asked("full", 36), asked("lora-r4", 28), asked("lora-r8", 20)))
    quality, latency = (f"full-on-arc.arc.{figure}" for figure in ("quality", "latency"))
    assert alone[quality].p is not None
    assert several[quality].p == pytest.approx(2 * alone[quality].p)
    assert several[latency].p == alone[latency].p
