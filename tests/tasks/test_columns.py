"""Reading columns: kinds checked, and errors that say what is there."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import DataError
from tunescale_core.tasks.boxed import boxed, last_boxed
from tunescale_core.tasks.columns import column, digest, group_of, held, identity, strings, taught, text_of
from tunescale_core.tasks.task import LeftOut


def test_a_column_of_its_kind_is_returned() -> None:
    """A column that is there and of the wanted kind comes back as it is."""
    assert column({"question": "Why?", "n": 1}, "question", str) == "Why?"


@pytest.mark.parametrize(("row", "has"), [({}, "none"), ({"a": 1, "b": 2}, "a, b")])
def test_a_missing_column_says_what_there_is(row: dict[str, object], has: str) -> None:
    """The error names the missing column and the columns that the row has."""
    with pytest.raises(DataError, match=rf"^no column 'question' \(it has: {has}\)$"):
        column(row, "question", str)


@pytest.mark.parametrize(("value", "kind"), [(1, "int"), (None, "NoneType"), (["x"], "list"), (b"x", "bytes")])
def test_a_column_of_another_kind_is_named(value: object, kind: str) -> None:
    """The error names the column, the kind it has and the kind it should have."""
    with pytest.raises(DataError, match=f"^column 'question' is {kind}, not str$"):
        column({"question": value}, "question", str)


@given(st.lists(st.text()))
def test_lists_and_arrays_of_text_are_read_alike(texts: list[str]) -> None:
    """A list, a tuple and a NumPy array of text give the same list."""
    array = np.array(texts, dtype=object)
    assert strings(texts, "text") == strings(tuple(texts), "text") == strings(array, "text")
    assert strings(texts, "text") == texts


@pytest.mark.parametrize("values", [None, 5, "abc", "", [1], ["a", None], [["a"]], b"ab"])
def test_what_is_no_list_of_text_is_an_error(values: object) -> None:
    """Bare text, numbers, and lists of other things are refused by the column's name."""
    with pytest.raises(DataError, match=r"^column 'choices\.text' is not a list of text"):
        strings(values, "choices.text")


@given(st.text())
def test_any_text_has_a_digest(text: str) -> None:
    """Any text, lone surrogates included, has one digest, and another text another."""
    assert digest(text) == digest(text) != digest(text + "\ud800")


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": ""}])
def test_a_row_without_an_id_is_known_by_its_content(row: dict[str, object]) -> None:
    """Where a row has no id, the same content has the same one and other content another."""
    assert identity(row, "Why?") == identity({}, "Why?") != identity(row, "Who?")


@pytest.mark.parametrize(("given_id", "known"), [("q1", "q1"), (7, "7"), (0, "0")])
def test_a_rows_own_id_is_kept(given_id: object, known: str) -> None:
    """A row's id is its own as text, whatever it asks."""
    assert identity({"id": given_id}, "Why?") == known


@pytest.mark.parametrize(
    ("value", "text"), [("x", "x"), (3, "3"), (2.5, "2.5"), (True, "true"), (False, "false"), (None, "")]
)
def test_values_are_text_as_json_writes_them(value: object, text: str) -> None:
    """Numbers and truth values are text, and what is null is none."""
    assert text_of({"a": value}, "a") == text


@pytest.mark.parametrize("value", [math.nan, math.inf, ["x"], {}, b"x"])
def test_what_is_no_text_is_refused(value: object) -> None:
    """What JSON has no number for, lists and objects are errors that name the column."""
    with pytest.raises(DataError, match=r"^column 'a' is \w+, not str$"):
        text_of({"a": value}, "a")


@pytest.mark.parametrize("row", [{}, {"group": None}, {"group": ""}, {"group": "  "}])
def test_rows_without_a_group_are_alone(row: dict[str, object]) -> None:
    """A group that is missing, null or blank, as an empty cell of a CSV is, joins no rows."""
    assert group_of(row) == ""


@given(st.text().filter(lambda text: last_boxed(boxed(text.strip()))))
def test_what_is_held_is_what_is_read(text: str) -> None:
    """An answer is kept as a reader takes it from its box, whatever that takes off."""
    kept = held(text.strip(), "label")
    assert last_boxed(taught({}, "answer", kept, lambda _: True)) == held(kept, "label")  # type: ignore[arg-type]


def test_a_solution_with_another_answer_is_left_out() -> None:
    """What a worked solution boxes must be the row's answer: two truths would be taught else."""
    row = {"solution": "so \\boxed{y}"}
    assert taught(row, "solution", "x", lambda said: said == "x") == LeftOut("solution with another answer")
    assert taught(row, "solution", "y", lambda said: said == "y") == row["solution"]
    assert taught({"solution": None}, "solution", "y", lambda _: True) == LeftOut("empty solution")
    assert taught(row, "answer", "x", lambda _: False) == "\\boxed{x}"
