"""The best LoRA under either tie rule, full tuning, and how figures go with rank, the paper's Table 3 included."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunescale_core.errors import ResultsError
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.published import reference
from tunescale_core.results.ranks import (
    TIE_RULES,
    Ties,
    best_lora,
    checked_ties,
    full_on,
    loras_on,
    rank_correlation,
    ranks_of_one,
)
from tunescale_core.results.result import Result
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS

PAPER = reference("paper")
SMALL = "Qwen3-0.6B"
Row = tuple[int | None, float | None, float | None]
"""A rank (None for full tuning), a quality and a latency."""


def tuned(*rows: Row, task: str = "arc", model: str = "m") -> Results:
    """Return results of candidates that were asked the task they were tuned on."""
    return Results(
        tuple(
            Result(lora(rank, task, model), task, TASKS[task].primary, quality, latency, kind=task)
            for rank, quality, latency in rows
        )
    )


def lora(rank: int | None, task: str = "arc", model: str = "m") -> Candidate:
    return Candidate(model, f"lora-r{rank}" if rank else "full", task, rank)


@pytest.mark.parametrize("ties", list(TIE_RULES))
@pytest.mark.parametrize(("task", "best"), [("arc", 8), ("openmath", 4), ("squad_v2", 8)])
def test_the_best_lora_is_best_in_the_tasks_direction(task: str, best: int, ties: Ties) -> None:
    """The highest F1 and the lowest distance win, whatever the latencies."""
    found = best_lora(tuned((8, 0.9, 9.0), (4, 0.1, 1.0), (2, 0.5, 0.1), task=task), "m", task, ties)
    assert found == lora(best, task)


@pytest.mark.parametrize(
    ("rows", "by_latency", "by_row"),
    [
        ([(64, 0.5, 2.0), (8, 0.5, 1.0), (4, 0.4, 0.1)], 8, 64),
        ([(64, 0.5, 1.0), (8, 0.5, 1.0)], 8, 64),
        ([(8, 0.5, None), (64, 0.5, 9.0)], 64, 8),
        ([(8, None, 0.1), (64, 0.5, None)], 64, 64),
    ],
)
def test_ties(rows: list[Row], by_latency: int, by_row: int) -> None:
    """Of equals the faster one is taken, an untimed one last, then the lower rank; or the first row."""
    found = tuned(*rows)
    assert best_lora(found, "m", "arc") == lora(by_latency)
    assert best_lora(found, "m", "arc", "latency") == lora(by_latency)
    assert best_lora(found, "m", "arc", "first") == lora(by_row)


@given(st.permutations([(64, 0.5, 2.0), (8, 0.5, 1.0), (4, 0.5, 1.0), (2, 0.4, 0.1)]))
def test_the_latency_rule_does_not_hang_on_the_rows_order(rows: list[Row]) -> None:
    """However the rows stand, the fastest of the best is taken, and of these the lowest rank."""
    assert best_lora(tuned(*rows), "m", "arc") == lora(4)


@pytest.mark.parametrize(("ties", "rank"), [("latency", 256), ("first", 1024)])
def test_the_papers_best_lora_for_squad(ties: Ties, rank: int) -> None:
    """Its three SQuAD v2 LoRAs tie: the text takes the fastest of them, Table 2 the first row."""
    assert best_lora(PAPER, SMALL, "squad_v2", ties) == lora(rank, "squad_v2", SMALL)


def test_nothing_is_best_of_nothing() -> None:
    """Without a LoRA, or without one that was scored, there is no best; full tuning is not one."""
    assert best_lora(tuned((None, 0.9, 1.0)), "m", "arc") is None
    assert best_lora(tuned((4, None, 1.0)), "m", "arc") is None
    assert best_lora(tuned((4, 0.5, 1.0)), "other", "arc") is None
    assert loras_on(tuned((4, 0.5, 1.0)), "m", "squad_v2") == ()


def test_loras_stand_as_in_the_source() -> None:
    """A model's LoRAs on a task come in the source's order, without full tuning and other models."""
    assert [one.rank for one in loras_on(PAPER, SMALL, "arc")] == [1024, 512, 256, 64, 32]
    assert [one.rank for one in loras_on(tuned((2, 0.1, 1.0), (None, 0.1, 1.0), (8, 0.1, 1.0)), "m", "arc")] == [2, 8]
    assert loras_on(PAPER, "Qwen3-1.7B", "arc") == ()


def test_full_tuning() -> None:
    """The candidate of all weights tuned on a task is found, LoRA never is, and nothing where there is none."""
    assert full_on(PAPER, SMALL, "openmath") == Candidate(SMALL, "full", "openmath")
    assert full_on(PAPER, "Qwen3-1.7B", "openmath") is None
    assert full_on(tuned((4, 0.5, 1.0)), "m", "arc") is None


def test_the_best_of_several_ways_to_tune_all_weights() -> None:
    """Where a study tunes all weights in several ways, the best on the task counts."""
    ways = {"full": 0.4, "full-long": 0.6}
    metric = TASKS["arc"].primary
    cells = tuple(Result(Candidate("m", way, "arc"), "arc", metric, score, 1.0) for way, score in ways.items())
    assert full_on(Results(cells), "m", "arc") == Candidate("m", "full-long", "arc")


@pytest.mark.parametrize(
    ("task", "figure", "n", "printed"),
    [
        ("arc", "score", 5, "0.021"),
        ("arc", "latency", 5, "-0.646"),
        ("openmath", "score", 3, "0.302"),
        ("openmath", "latency", 3, "-0.233"),
        ("squad_v2", "latency", 3, "0.321"),
    ],
)
def test_the_papers_correlations(task: str, figure: Literal["score", "latency"], n: int, printed: str) -> None:
    """Pearson's r on raw rank is the paper's Table 3 to three digits, but for 0.302 where it prints 0.301."""
    found = rank_correlation(PAPER, SMALL, task, figure)
    assert found.n == n
    assert found.pearson is not None
    assert f"{found.pearson[0]:.3f}" == printed


def test_a_constant_score_has_no_correlation() -> None:
    """The paper's SQuAD v2 score is the same at all three ranks, so it goes neither with rank nor against it."""
    found = rank_correlation(PAPER, SMALL, "squad_v2", "score")
    assert (found.n, found.pearson, found.pearson_log2, found.spearman) == (3, None, None, None)


def test_what_is_missing_is_not_counted() -> None:
    """A rank without the figure is left out of n; two ranks have no correlation, and no rank has n 0."""
    found = tuned((8, 0.5, 1.0), (4, 0.4, None), (2, 0.3, 3.0))
    assert rank_correlation(found, "m", "arc", "score").n == 3
    latency = rank_correlation(found, "m", "arc", "latency")
    assert (latency.n, latency.pearson) == (2, None)
    assert rank_correlation(found, "m", "squad_v2", "score").n == 0


@settings(max_examples=10)
@given(st.sets(st.integers(0, 10), min_size=3, max_size=5), st.floats(0.1, 10), st.floats(-10, 10))
def test_straight_lines_correlate_fully(exponents: set[int], slope: float, start: float) -> None:
    """A score that rises by as much with each doubling has r 1 on the logarithm of rank, and rho 1."""
    rows: list[Row] = [(2**one, start + slope * one, 20 - one) for one in sorted(exponents)]
    score = rank_correlation(tuned(*rows), "m", "arc", "score")
    latency = rank_correlation(tuned(*rows), "m", "arc", "latency")
    assert score.pearson_log2 is not None
    assert score.spearman is not None
    assert latency.pearson_log2 is not None
    assert latency.spearman is not None
    assert (score.pearson_log2[0], score.spearman[0]) == pytest.approx((1, 1))
    assert (latency.pearson_log2[0], latency.spearman[0]) == pytest.approx((-1, -1))


@pytest.mark.parametrize("name", list(TIE_RULES))
def test_known_tie_rules(name: str) -> None:
    """A known rule's name is returned."""
    assert checked_ties(name) == name


@pytest.mark.parametrize("name", ["", "Latency", "rank"])
def test_unknown_tie_rules(name: str) -> None:
    """Any other name is refused, and the known ones are told."""
    with pytest.raises(ResultsError) as caught:
        checked_ties(name)
    assert str(caught.value) == f"no tie-break rule {name!r}; known are latency, first"


def test_ranks_of_one_method_are_compared() -> None:
    """Where several LoRA methods have ranks, those of the one with most are compared; the others are not mixed in."""
    plain, other = tuned((2, 0.1, 1.0), (4, 0.3, 1.0)), Candidate("m", "lora-all-r8", "arc", 8)
    both = Results((*plain.cells, Result(other, "arc", TASKS["arc"].primary, 0.9, 1.0, kind="arc")))
    assert [one.method for one in loras_on(both, "m", "arc")] == ["lora-r2", "lora-r4", "lora-all-r8"]
    assert [one.method for one in ranks_of_one(both, "m", "arc")] == ["lora-r2", "lora-r4"]
    assert rank_correlation(both, "m", "arc", "score").n == 2
    assert ranks_of_one(both, "m", "squad_v2") == ()
