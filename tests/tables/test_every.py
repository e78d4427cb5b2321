"""All tables together: which there are, what stands beside, and every format of them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.making import line
from tests.making import record as made
from tunescale_core.results.published import reference
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tables.every import FORMATS, every_table
from tunescale_core.tables.table import MISSING, Table

PAPER = reference("paper")
RUN = Results(
    tuple(
        from_record(made(*variant, lines=[line()], model=model))
        for model, *variant in (("mini", "base"), ("mini", "full", "arc"), ("mini", "lora-r4", "arc"), ("big", "base"))
    ),
    "a/run",
)


def by_name(tables: tuple[Table, ...]) -> dict[str, Table]:
    return {table.name: table for table in tables}


def test_a_published_table_has_what_needs_no_examples() -> None:
    """From the paper's figures come Tables 1 to 3 and transfer, and nothing about output or where latency is from."""
    assert [table.name for table in every_table(PAPER)] == ["table1", "table2", "table3", "transfer"]


def test_records_have_more() -> None:
    """Records have tables of their output and of their latency too."""
    assert {"table1", "outputs", "table2", "transfer", "latency"} <= set(by_name(every_table(RUN)))


def test_a_table_without_rows_is_left_out() -> None:
    """Where nothing was tuned there is no best LoRA, no correlation and no transfer."""
    untuned = Results((from_record(made(lines=[line()])),))
    assert not {"table2", "table3", "transfer"} & set(by_name(every_table(untuned)))


@pytest.mark.parametrize(("ties", "rank"), [("first", 1024), ("latency", 256)])
def test_the_tie_rule_reaches_table_2(ties: str, rank: int) -> None:
    """The rule that is asked for decides SQuAD's best LoRA."""
    table = by_name(every_table(PAPER, ties))["table2"]  # type: ignore[arg-type]
    (row,) = [row for row in table.blocks[0].rows if row.key == "squad_v2"]
    assert rank in [entry.value for entry in row.entries]


def test_a_reference_stands_beside_by_its_name() -> None:
    """The paper's figures stand in further columns of each table, a base beside a base, full beside full."""
    found = by_name(every_table(RUN, reference=PAPER))["table1"]
    groups = [column.group for column in found.columns]
    assert groups[-2:] == ["paper arc", "paper arc"]
    assert found.columns[-1].subject == "arc"
    theirs = {row.key: [entry.value for entry in row.entries[-2:]] for block in found.blocks for row in block.rows}
    assert theirs["base"] == [0.4932, 1.1397]
    assert theirs["larger-base"] == [0.7986, 3.4025]
    assert theirs["full-on-arc"] == [0.4905, 0.0803]


def test_what_a_reference_lacks_is_missing_or_left_alone() -> None:
    """A row that the reference has not is dashes there, and a table that it has not stays as it is."""
    found = by_name(every_table(RUN, reference=PAPER))
    rows = {row.key: row for block in found["table1"].blocks for row in block.rows}
    assert [entry.text for entry in rows["lora-r4-on-arc"].entries[-2:]] == [MISSING, MISSING]
    assert found["outputs"] == by_name(every_table(RUN))["outputs"]


@pytest.mark.parametrize("form", list(FORMATS))
@pytest.mark.parametrize("results", [PAPER, RUN], ids=["paper", "run"])
def test_every_table_has_every_format(form: str, results: Results) -> None:
    """Each format shows each table, with or without examples behind it."""
    tables = every_table(results)
    text = FORMATS[form](tables)
    assert all((table.name if form in {"csv", "json"} else table.title) in text for table in tables)


def test_csv_parts_are_read_alone() -> None:
    """Between the lines that name them, the tables are CSV of as many columns in every row."""
    parts = FORMATS["csv"](every_table(PAPER)).split("# ")[1:]
    for part in parts:
        name, body = part.split("\n", 1)
        lines = [row for row in csv.reader(io.StringIO(body.rstrip("\n") + "\n")) if row]
        assert len({len(row) for row in lines}) == 1, name
        assert lines[0][0] == "block"


def test_json_has_the_papers_figures() -> None:
    """A program that reads the JSON finds the paper's Table 1, all sixteen rows."""
    found = json.loads(FORMATS["json"](every_table(PAPER)))
    rows = found["table1"]["rows"]
    assert len(rows) == 16
    assert {(row["model"], row["arc_F1"]) for row in rows if row["method"] == "base"} == {
        ("Qwen3-0.6B", 0.4932),
        ("Qwen3-1.7B", 0.7986),
    }
