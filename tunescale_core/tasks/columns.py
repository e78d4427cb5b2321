"""Reading a data row's columns, with errors that name what is missing."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import TypeVar

from tunescale_core.errors import DataError
from tunescale_core.harmless import harmless
from tunescale_core.tasks.boxed import boxed, last_boxed
from tunescale_core.tasks.task import LeftOut, Row

Kind = TypeVar("Kind")


def column(row: Row, name: str, kind: type[Kind]) -> Kind:
    """Return a column of a row.

    Raises:
        DataError: It is missing, or not of `kind`; the reader of the source adds which row it is.
    """
    if name not in row:
        named = (one if one == one.strip() else repr(one) for one in map(str, row))  # a blank is seen in quotes alone
        there = harmless(", ".join(named) or "none")
        raise DataError(f"no column {name!r} (it has: {there:.200})")
    value = row[name]
    if not isinstance(value, kind):
        raise DataError(f"column {name!r} is {type(value).__name__}, not {kind.__name__}")
    if isinstance(value, str):
        _check_unicode(value, name)
    return value


def strings(values: object, name: str) -> list[str]:
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
        told = next((type(one).__name__ for one in listed if not isinstance(one, str)), "")
        raise DataError(f"column {name!r} is not a list of text" + f": it holds {told}" * bool(told))
    for one in listed:
        _check_unicode(one, name)
    return listed


def text_of(row: Row, name: str) -> str:
    """Return a column as text: a number and a truth value as JSON writes them, what is null as nothing.

    Raises:
        DataError: It is missing, or nothing of that kind.
    """
    if name in row and row[name] is None:
        return ""
    value = row.get(name)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) and math.isfinite(value):
        return str(value)
    return column(row, name, str)


def group_of(row: Row) -> str:
    """Return what a row's column `group` says it shares with others that are not independent of it; "" without one."""
    named = text_of(row, "group").strip() if "group" in row else ""
    return digest(named)[:16] if named else ""


def taught(row: Row, style: str, answer: str, is_right: Callable[[str], bool]) -> str | LeftOut:
    """Return what tuning teaches: the box alone, or with style "solution" the row's column of that name before it.

    Args:
        row: Of the data.
        style: As `Task.example` takes it.
        answer: What the box holds.
        is_right: Tells of what a worked solution boxes whether it is that answer; one with another is left out.

    Raises:
        DataError: The column is wanted and missing, or no text.
    """
    if style != "solution":
        return boxed(answer)
    worked = text_of(row, "solution").rstrip()
    if not worked:
        return LeftOut("empty solution")
    said = last_boxed(worked)
    if said is None:
        return f"{worked}\n{boxed(answer)}"
    return worked if is_right(said) else LeftOut("solution with another answer")


def held(answer: str, name: str) -> str:
    r"""Return an answer as it is read from its box, for a reader takes more off than white space (`$`, `\text{}`).

    Raises:
        DataError: Nothing of it would be read.
    """
    said = last_boxed(boxed(answer))
    if not said:
        raise DataError(f"column {name!r} is {answer!r}, of which nothing is read from \\boxed{{}}: name it otherwise")
    return said


def _check_unicode(text: str, name: str) -> None:
    """Refuse half a surrogate pair, which JSON can write and no tokenizer can read."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"column {name!r} is no Unicode text: half a surrogate pair at {error.start}") from error


def digest(text: str) -> str:
    """Return the SHA-256 of any text, lone surrogates included, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def identity(row: Row, content: str) -> str:
    """Return a row's `id` as text, or one made from its content where it has none: answers are paired by it.

    Raises:
        DataError: It is neither text nor a number.
    """
    if row.get("id") is None or row["id"] == "":
        return made_of(content)
    return text_of(row, "id")


def made_of(content: str) -> str:
    """Return the id of a row that has none of its own."""
    return digest(content)[:24]
