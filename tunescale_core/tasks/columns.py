"""Reading a data row's columns, with errors that name what is missing."""

from __future__ import annotations

from typing import TypeVar

from tunescale_core.errors import DataError
from tunescale_core.tasks.task import Row

Kind = TypeVar("Kind")


def column(row: Row, name: str, kind: type[Kind], task: str) -> Kind:
    """Return a column of a row.

    Raises:
        DataError: It is missing, or not of `kind`.
    """
    if name not in row:
        raise DataError(f"a row for task {task} has no column {name!r} (it has: {', '.join(map(str, row)) or 'none'})")
    value = row[name]
    if not isinstance(value, kind):
        raise DataError(f"column {name!r} of a row for task {task} is {type(value).__name__}, not {kind.__name__}")
    return value


def strings(values: object, name: str, task: str) -> list[str]:
    """Return a list (or array) column as text.

    Raises:
        DataError: It is not a sequence of text.
    """
    try:
        listed: list[str] = list(values)  # type: ignore[call-overload]
    except TypeError:
        listed = []
        values = ""
    if isinstance(values, str) or not all(isinstance(value, str) for value in listed):
        raise DataError(f"column {name!r} of a row for task {task} is not a list of text")
    return listed
