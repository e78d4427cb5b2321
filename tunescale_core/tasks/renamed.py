"""A task's columns read from others: what a study's `columns` says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from string import Formatter

from tunescale_core.errors import DataError
from tunescale_core.harmless import harmless
from tunescale_core.tasks.task import Row


def named_in(source: str) -> tuple[str, ...]:
    """Return the data's columns that one of the task's is read from.

    Args:
        source: The name of a column, or a text with names in braces, as `{subject}: {body}`.

    Raises:
        ValueError: The braces cannot be read, or hold more than a name.
    """
    if "{" not in source and "}" not in source:
        return (source,)
    names = []
    for _, name, form, conversion in Formatter().parse(source):
        if name is None:
            continue
        if not name or form or conversion or {".", "[", "]"} & set(name):
            raise ValueError(f"braces hold a column's name and nothing else, as {{subject}}; got {{{name}}}")
        names.append(name)
    if not names:
        raise ValueError("names no column: write a column's name, or a text with names in braces")
    return tuple(names)


def renamed(row: Row, columns: Mapping[str, str]) -> Row:
    """Return a row with the task's columns beside its own.

    Args:
        row: In the data's own columns.
        columns: Of some of the task's columns, what they are read from, as `named_in` takes it.

    Raises:
        DataError: The row lacks a column, or a text is to be made of something that is none.
    """
    return {**row, **{name: _value(row, name, source) for name, source in columns.items()}} if columns else row


def _value(row: Row, name: str, source: str) -> object:
    named = named_in(source)
    for one in named:
        if one not in row:
            there = harmless(", ".join(map(str, row)) or "none")
            raise DataError(f"no column {one!r}, which columns.{name} names (it has: {there:.200})")
    if named == (source,):
        return row[source]
    parts = Formatter().parse(source)
    return "".join(text + ("" if one is None else _text(row[one], one)) for text, one, _, _ in parts)


def _text(value: object, name: str) -> str:
    """Return a value as a text holds it; nothing of what is missing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isnan(value):
        raise DataError(f"column {name!r} is not a number, which no text can hold")
    if not isinstance(value, str | int | float):
        raise DataError(f"column {name!r} is {type(value).__name__}, which no text can hold")
    return str(value)
