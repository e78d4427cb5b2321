"""Reading columns: kinds checked, and errors that say what is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import DataError
from tunescale_core.tasks.columns import column, strings


def test_a_column_of_its_kind_is_returned() -> None:
    """A column that is there and of the wanted kind comes back as it is."""
    assert column({"question": "Why?", "n": 1}, "question", str, "arc") == "Why?"


@pytest.mark.parametrize(("row", "has"), [({}, "none"), ({"a": 1, "b": 2}, "a, b")])
def test_a_missing_column_says_what_there_is(row: dict[str, object], has: str) -> None:
    """The error names the task, the missing column and the columns that the row has."""
    with pytest.raises(DataError, match=rf"task arc has no column 'question' \(it has: {has}\)"):
        column(row, "question", str, "arc")


@pytest.mark.parametrize(("value", "kind"), [(1, "int"), (None, "NoneType"), (["x"], "list"), (b"x", "bytes")])
def test_a_column_of_another_kind_is_named(value: object, kind: str) -> None:
    """The error names the column, the kind it has and the kind it should have."""
    with pytest.raises(DataError, match=f"column 'question' of a row for task arc is {kind}, not str"):
        column({"question": value}, "question", str, "arc")


@given(st.lists(st.text()))
def test_lists_and_arrays_of_text_are_read_alike(texts: list[str]) -> None:
    """A list, a tuple and a NumPy array of text give the same list."""
    array = np.array(texts, dtype=object)
    assert strings(texts, "text", "arc") == strings(tuple(texts), "text", "arc") == strings(array, "text", "arc")
    assert strings(texts, "text", "arc") == texts


@pytest.mark.parametrize("values", [None, 5, "abc", "", [1], ["a", None], [["a"]], b"ab"])
def test_what_is_no_list_of_text_is_an_error(values: object) -> None:
    """Bare text, numbers, and lists of other things are refused by the column's name."""
    with pytest.raises(DataError, match=r"column 'choices\.text' of a row for task arc is not a list of text"):
        strings(values, "choices.text", "arc")
