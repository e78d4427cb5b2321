"""A task's columns read from others: by name, or from a text with names in braces."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import DataError
from tunescale_core.tasks.renamed import named_in, renamed

NAMES = st.text(st.characters(blacklist_characters="{}[].!:", blacklist_categories=["Cs"]), min_size=1)
TEXTS = st.text(st.characters(blacklist_characters="{}", blacklist_categories=["Cs"]))


@given(st.dictionaries(NAMES, TEXTS, min_size=1), st.lists(TEXTS, min_size=1, max_size=4), st.randoms())
def test_a_text_with_names_is_filled_in(row: dict[str, str], between: list[str], chance: object) -> None:
    """Names in braces become what the row's columns hold, and all else stays as it is written."""
    names = [chance.choice(sorted(row)) for _ in between]  # type: ignore[attr-defined]
    source = "".join(f"{text}{{{name}}}" for text, name in zip(between, names, strict=True))
    assert named_in(source) == tuple(names)
    wanted = "".join(f"{text}{row[name]}" for text, name in zip(between, names, strict=True))
    assert renamed(row, {"made": source})["made"] == wanted


@given(st.dictionaries(NAMES, st.integers() | TEXTS, min_size=1))
def test_a_column_by_name_is_taken_as_it_is(row: dict[str, object]) -> None:
    """A name alone gives the row's value of whatever kind, and the row keeps its own columns."""
    name = next(iter(row))
    assert renamed(row, {"\0new": name}) == {**row, "\0new": row[name]}
    assert renamed(row, {}) is row


def test_a_columns_of_that_name_gives_way() -> None:
    """Where the data has a column of the task's name, the one that the study names is read."""
    assert renamed({"text": "no", "body": "yes"}, {"text": "body"})["text"] == "yes"


def test_two_columns_may_change_places() -> None:
    """All are read from the row as the data has it."""
    assert renamed({"a": 1, "b": 2}, {"a": "b", "b": "a"}) == {"a": 2, "b": 1}


@pytest.mark.parametrize(("value", "text"), [("x", "x"), (3, "3"), (2.5, "2.5"), (True, "true"), (None, "")])
def test_numbers_are_written_and_what_is_missing_is_not(value: object, text: str) -> None:
    """In a text a number stands as it is written, and nothing where a value is missing."""
    assert renamed({"a": value}, {"t": "({a})"})["t"] == f"({text})"


@pytest.mark.parametrize(
    ("value", "said"), [([1], "list"), ({}, "dict"), (float("nan"), "not a number"), (b"x", "bytes")]
)
def test_what_no_text_can_hold_is_refused(value: object, said: str) -> None:
    """A list, an object, NaN and bytes are errors that name the column and what it is."""
    with pytest.raises(DataError, match=rf"^column 'a' is {said}, which no text can hold$"):
        renamed({"a": value}, {"t": "{a}"})


@pytest.mark.parametrize("source", ["b", "{b}", "{a} {b}"])
def test_a_column_that_is_not_there_is_named(source: str) -> None:
    """The error says which column is missing, which key names it, and what there is."""
    with pytest.raises(DataError, match=re.escape("no column 'b', which columns.t names (it has: a)")):
        renamed({"a": "x"}, {"t": source})


@pytest.mark.parametrize("source", ["{}", "{a.b}", "{a[0]}", "{a!r}", "{a:>9}", "{a", "a}", "{{a}}"])
def test_braces_hold_a_name_and_nothing_else(source: str) -> None:
    """Attributes, places, forms, and braces that do not close or hold no name are refused."""
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        named_in(source)
