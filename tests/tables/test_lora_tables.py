"""Tables 2 and 3 and the transfer table: on the paper's own table, and where a side is missing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.making import record as made
from tunescale_core.records.record import Record
from tunescale_core.results.published import reference
from tunescale_core.results.ranks import Ties
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tables.lora_tables import table2, table3, transfer_table
from tunescale_core.tables.table import MISSING, Entry, Table

PAPER = reference("paper")


def entries(table: Table) -> dict[str, dict[str, Entry]]:
    """Return a table's entries by row key, and by group and head."""
    heads = [f"{column.group} {column.head}".strip() for column in table.columns]
    return {row.key: dict(zip(heads, row.entries, strict=True)) for block in table.blocks for row in block.rows}


def values(table: Table, key: str, *heads: str) -> list[object]:
    return [entries(table)[key][head].value for head in heads]


def scored(method: str, trained_on: str | None, task: str, score: float | None, **fields: object) -> Record:
    """Return a record of this primary metric."""
    name = {"arc": "macro_f1", "openmath": "abs_diff"}[task]
    return made(method, trained_on, task, metrics={name: score}, **fields)  # type: ignore[arg-type]


def results(*records: Record) -> Results:
    return Results(tuple(map(from_record, records)))


@pytest.mark.parametrize(
    ("ties", "rank", "seconds", "rule"),
    [
        ("first", 1024, 0.1951, "best LoRA: best quality; of equals the first row"),
        ("latency", 256, 0.1908, "best LoRA: best quality; of equals the lower latency, then the lower rank"),
    ],
)
def test_ties_are_broken_as_told(ties: Ties, rank: int, seconds: float, rule: str) -> None:
    """On SQuAD, where three ranks tie, the paper's first row or the fastest is taken, and the rule is a note."""
    found = table2(PAPER, ties)
    assert values(found, "squad_v2", "best LoRA rank", "best LoRA score", "best LoRA s ↓") == [rank, 9.59, seconds]
    assert rule in found.notes


@pytest.mark.parametrize(
    ("task", "lora", "full"),
    [
        ("arc", [64, 0.4937, 0.1601], [0.4905, 0.0803]),
        ("openmath", [256, 23655, 1.5016], [16540, 0.0482]),
        ("squad_v2", [1024, 9.59, 0.1951], [27.95, 0.2202]),
    ],
)
def test_table_2_is_the_papers(task: str, lora: list[float], full: list[float]) -> None:
    """With ties to the first row, Table 2 from the paper's Table 1 is the paper's Table 2."""
    found = table2(PAPER, "first")
    heads = ("best LoRA rank", "best LoRA score", "best LoRA s ↓", "full score", "full s ↓")
    assert values(found, task, *heads) == [*lora, *full]


def test_table_2_marks_the_better_side() -> None:
    """Of each pair the better one is marked: the lower difference on OpenMath, the higher F1, the lower latency."""
    found = entries(table2(PAPER))
    heads = ("best LoRA score", "full score", "best LoRA s ↓", "full s ↓")
    assert {task: [row[head].best for head in heads] for task, row in found.items()} == {
        "arc": [True, False, False, True],
        "openmath": [False, True, False, True],
        "squad_v2": [False, True, True, False],
    }


def test_table_2_names_the_metric_and_its_direction() -> None:
    """A row says what is scored and which way is better."""
    found = [row["task"].text for row in entries(table2(PAPER)).values()]
    assert found == ["arc (F1 ↑)", "openmath (AbsDiff ↓)", "squad_v2 (F1 ↑)"]


def test_a_missing_side_is_a_dash() -> None:
    """Without a LoRA, or without full tuning, that side is dashes and nothing is marked; without both, no row."""
    only_full = entries(table2(results(scored("full", "arc", "arc", 0.5), scored("base", None, "openmath", 3.0))))
    assert list(only_full) == ["arc"]
    row = only_full["arc"]
    assert [row[head].text for head in ("best LoRA rank", "best LoRA score", "full score")] == [
        MISSING,
        MISSING,
        "0.5000",
    ]
    only_lora = entries(table2(results(scored("lora-r4", "arc", "arc", 0.5))))["arc"]
    assert [only_lora[head].text for head in ("best LoRA rank", "full score")] == ["4", MISSING]
    assert not any(entry.best for one in (row, only_lora) for entry in one.values())


def test_equal_sides_are_both_marked() -> None:
    """Where both sides print the same, both are marked."""
    found = entries(table2(results(scored("full", "arc", "arc", 0.5), scored("lora-r4", "arc", "arc", 0.5))))["arc"]
    assert found["best LoRA score"].best
    assert found["full score"].best


def test_the_best_of_several_kinds_is_named() -> None:
    """Where a study has adapters of several kinds with ranks, the row says of which kind the best is."""
    dora = scored("dora-r4", "arc", "arc", 0.6)
    found = entries(table2(results(scored("lora-r4", "arc", "arc", 0.5), dora, scored("full", "arc", "arc", 0.4))))
    assert found["arc"]["best LoRA method"].text == "dora-r4"
    assert "best LoRA method" not in entries(table2(PAPER))["arc"]


def test_rows_name_the_model_where_several_were_tuned() -> None:
    """With two tuned models each has its row, told apart by its key."""
    both = results(*(scored("full", "arc", "arc", 0.5, model=model) for model in ("a", "b")))
    assert list(entries(table2(both))) == ["a arc", "b arc"]


@pytest.mark.parametrize(
    ("key", "n", "r"),
    [
        ("arc score", 5, 0.021),
        ("arc latency", 5, -0.646),
        ("openmath score", 3, 0.302),
        ("openmath latency", 3, -0.233),
        ("squad_v2 latency", 3, 0.321),
    ],
)
def test_table_3_is_pearsons(key: str, n: int, r: float) -> None:
    """Table 3 on the paper's Table 1 has its n and Pearson's r, which for OpenMath's score rounds to 0.302."""
    assert values(table3(PAPER), key, "n", "Pearson r") == [n, pytest.approx(r, abs=5e-4)]


def test_table_3_has_ranks_and_their_logarithm() -> None:
    """On log2 rank r is numpy's; Spearman's rho of OpenMath's latencies, which fall and rise, is -0.5."""
    ranks, seconds = np.array([1024, 512, 256, 64, 32]), np.array([0.1557, 0.1570, 0.1549, 0.1601, 0.1595])
    found = table3(PAPER)
    wanted = np.corrcoef([math.log2(rank) for rank in ranks], seconds)[0, 1]
    assert values(found, "arc latency", "log2 rank r") == [pytest.approx(wanted)]
    assert values(found, "openmath latency", "Spearman rho", "Spearman p") == pytest.approx([-0.5, 1.0])


def test_a_constant_score_has_no_correlation() -> None:
    """SQuAD's score is the same at all three ranks: n is shown, and dashes for r and p."""
    row = entries(table3(PAPER))["squad_v2 score"]
    assert row["n"].value == 3
    assert {row[head].text for head in ("Pearson r", "Pearson p", "log2 rank r", "Spearman rho")} == {MISSING}


def test_table_3_names_the_model_where_several_were_tuned() -> None:
    """Each row of two tuned models says whose it is; of one there is no such column."""
    made_of = [scored("lora-r2", "arc", "arc", 0.5, model=model) for model in ("a", "b")]
    shown = [row["model"].text for row in entries(table3(results(*made_of))).values()]
    assert shown == ["a", "b"]
    assert "model" not in {column.head for column in table3(results(made_of[0])).columns}


def test_no_lora_has_no_table_3() -> None:
    """Without a LoRA row there is nothing to correlate."""
    assert entries(table3(results(scored("full", "arc", "arc", 0.5)))) == {}


@pytest.mark.parametrize(
    ("key", "task", "shown"),
    [
        ("full-on-arc", "arc", "-0.5*"),
        ("full-on-openmath", "openmath", "+33.4*"),
        ("full-on-openmath", "squad_v2", "-26.5"),
        ("full-on-squad_v2", "squad_v2", "+177.6*"),
        ("full-on-squad_v2", "openmath", "+7.4"),
        ("lora-r64-on-arc", "squad_v2", "-19.7"),
    ],
)
def test_transfer_is_the_papers(key: str, task: str, shown: str) -> None:
    """What tuning did is the paper's percentage: plus is better on each task, a star where it was tuned on."""
    assert entries(transfer_table(PAPER))[key][f"{task} %"].text == shown


def test_transfer_has_a_sign_by_direction() -> None:
    """A lower difference and a higher F1 are plus, and the opposite minus."""
    for task, better, worse in (("arc", 0.6, 0.4), ("openmath", 4.0, 6.0)):
        base = {"arc": 0.5, "openmath": 5.0}[task]
        shifts = [
            values(
                transfer_table(results(scored("base", None, task, base), scored("full", task, task, one))), key, head
            )
            for one in (better, worse)
            for key, head in [(f"full-on-{task}", f"{task} %")]
        ]
        assert shifts == [[pytest.approx(20)], [pytest.approx(-20)]]


def test_transfer_without_a_base_is_missing() -> None:
    """Where the untuned model was not measured, or scored zero, there is no percentage."""
    alone = transfer_table(results(scored("full", "arc", "arc", 0.5)))
    zero = transfer_table(results(scored("full", "arc", "arc", 0.5), scored("base", None, "arc", 0.0)))
    for table in (alone, zero):
        assert entries(table)["full-on-arc"]["arc %"].text == MISSING


def test_transfer_has_tuned_candidates_alone() -> None:
    """The fourteen tuned rows of the paper have a row, and what they say of each task is about a candidate."""
    rows = [row for block in transfer_table(PAPER).blocks for row in block.rows]
    assert len(rows) == 14
    assert {row.model for row in rows} == {"Qwen3-0.6B"}
    assert {row.method for row in rows} == {"full", "lora-r1024", "lora-r512", "lora-r256", "lora-r64", "lora-r32"}
