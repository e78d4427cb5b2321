"""Entries, what is marked best in a block, and another study's figures beside one's own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.tables.table import (
    MISSING,
    Block,
    Column,
    Entry,
    Row,
    Table,
    beside,
    block,
    number,
    quality,
    share,
    words,
)
from tunescale_core.tasks import TASKS
from tunescale_core.tasks.task import Direction

NUMBERS = st.floats(-1e6, 1e6)


def marked(values: Sequence[float | None], better: Direction | None, digits: int = 2) -> list[bool]:
    """Return which of a column's numbers are marked in a block."""
    columns = (Column("row", words=True), Column("x", "g", better))
    rows = [Row(str(place), (words("r"), number(value, digits))) for place, value in enumerate(values)]
    return [row.entries[1].best for row in block("t", columns, rows).rows]


def table(rows: dict[str, Sequence[float]], columns: Sequence[tuple[str, str]] = (("g", "x"),)) -> Table:
    """Return a table of one block: rows by key, columns by group and head after one of words."""
    heads = (Column("row", words=True), *(Column(head, group, "higher") for group, head in columns))
    made = [Row(key, (words(key), *(number(one, 2) for one in values)), "m", "full") for key, values in rows.items()]
    return Table("t", "T", heads, (block("all", heads, made),), ("a note",))


def texts(one: Table) -> list[list[str]]:
    return [[entry.text for entry in row.entries] for part in one.blocks for row in part.rows]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.12345, 4, "0.1235"),
        (999.5, 2, "999.50"),
        (1000.4, 2, "1,000"),
        (-22871.0, 2, "-22,871"),
        (0.0, 1, "0.0"),
        (None, 4, MISSING),
    ],
)
def test_numbers_have_their_digits(value: float | None, digits: int, text: str) -> None:
    """A number has so many digits, from 1,000 on none, and a missing one is a dash; its value stays whole."""
    assert (number(value, digits).text, number(value, digits).value) == (text, value)


def test_shares_are_percent() -> None:
    """A share is shown in percent and kept as it is."""
    assert share(0.756) == Entry("76%", 0.756)
    assert share(None) == Entry(MISSING)


def test_a_metric_has_its_own_digits() -> None:
    """Macro-F1 is shown to four digits, SQuAD's F1 in percent to two."""
    assert quality(TASKS["arc"].primary, 0.5).text == "0.5000"
    assert quality(TASKS["squad_v2"].primary, 27.949).text == "27.95"


@pytest.mark.parametrize(
    ("better", "best"), [("higher", [False, True, False]), ("lower", [True, False, False]), (None, [False] * 3)]
)
def test_the_best_by_direction(better: Direction | None, best: list[bool]) -> None:
    """The largest or the smallest number is marked as the column says, and none where no direction is better."""
    assert marked([-1.0, 3.0, 2.0], better) == best


def test_what_prints_the_same_is_as_good() -> None:
    """Numbers that differ only beyond their digits are all marked."""
    assert marked([0.501, 0.502, 0.4], "higher") == [True, True, False]
    assert marked([0.501, 0.502, 0.4], "higher", digits=3) == [False, True, False]


def test_what_is_missing_is_never_best() -> None:
    """A dash is not marked, also where a column has nothing else."""
    assert marked([None, 2.0, None], "lower") == [False, True, False]
    assert marked([None, None], "lower") == [False, False]


def test_an_empty_block_stays_empty() -> None:
    """A block without rows has no best."""
    assert block("t", (Column("x", better="higher"),), []) == Block("t", ())


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.sampled_from(["higher", "lower"]))
def test_the_extreme_is_always_marked(values: list[float], better: Direction) -> None:
    """Whatever the numbers, the extreme one is marked, and every marked one prints as it does."""
    found = marked(values, better)
    extreme = max(values) if better == "higher" else min(values)
    shown = {number(value, 2).text for value, best in zip(values, found, strict=True) if best}
    assert shown == {number(extreme, 2).text}


def test_marking_keeps_what_a_row_is_about() -> None:
    """A block's rows keep their key, model, method and words."""
    (row,) = table({"k": [1.0]}).blocks[0].rows
    assert (row.key, row.model, row.method, row.entries[0]) == ("k", "m", "full", words("k"))


def test_rows_of_the_same_key_stand_beside() -> None:
    """Another's figures follow one's own in the row of their key, whatever order it has; others are dashes."""
    mine, theirs = table({"a": [1], "b": [2], "c": [3]}), table({"c": [30], "a": [10], "z": [90]})
    found = beside(mine, theirs, "paper")
    assert texts(found) == [["a", "1.00", "10.00"], ["b", "2.00", MISSING], ["c", "3.00", "30.00"]]


def test_columns_are_joined_by_group_and_head() -> None:
    """Another's columns are found by what stands over them, also where it has others or another order."""
    mine = table({"a": [1, 2, 3]}, [("g", "x"), ("g", "y"), ("h", "x")])
    theirs = table({"a": [20, 10]}, [("g", "y"), ("g", "x")])
    found = beside(mine, theirs, "paper")
    assert texts(found) == [["a", "1.00", "2.00", "3.00", "10.00", "20.00", MISSING]]
    assert [(one.group, one.head) for one in found.columns[4:]] == [
        ("paper g", "x"),
        ("paper g", "y"),
        ("paper h", "x"),
    ]


def test_what_stands_beside_is_not_marked() -> None:
    """Another's best is not marked and its columns have no direction; one's own marks, notes and title stay."""
    mine = table({"a": [1], "b": [2]})
    found = beside(mine, table({"a": [9], "b": [8]}), "paper")
    assert [[entry.best for entry in row.entries] for row in found.blocks[0].rows] == [
        [False, False, False],
        [False, True, False],
    ]
    assert [one.better for one in found.columns] == [None, "higher", None]
    assert (found.name, found.title, found.notes, found.blocks[0].title) == ("t", "T", ("a note",), "all")


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(NUMBERS), max_size=6))
def test_a_table_beside_itself_says_everything_twice(rows: dict[str, tuple[float]]) -> None:
    """Joined with itself, every figure has itself beside it, and one's own entries are as they were."""
    mine = table(rows)
    found = beside(mine, mine, "again")
    assert [line[1] for line in texts(found)] == [line[2] for line in texts(found)]
    assert [row.entries[:2] for row in found.blocks[0].rows] == [row.entries for row in mine.blocks[0].rows]
