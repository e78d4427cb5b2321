"""What every table is before it is printed: columns, blocks of rows, and entries that know their value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tunescale_core.tasks import Metric
from tunescale_core.tasks.task import Direction

MISSING = "–"


@dataclass(frozen=True)
class Column:
    """A column: what stands over it, and which way is better."""

    head: str
    group: str = ""
    """What it shares with its neighbours: the task."""
    better: Direction | None = None
    """None where no direction is better, or the column holds words."""
    words: bool = False


@dataclass(frozen=True)
class Entry:
    """One place of a table."""

    text: str
    value: float | str | None = None
    """What the text shows, at full precision."""
    best: bool = False


@dataclass(frozen=True)
class Block:
    """Rows under a title of their own; within a block the best of each column is marked."""

    title: str
    rows: tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table that any format can show."""

    name: str
    """For files and JSON: `table1`."""
    title: str
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()


def words(text: str) -> Entry:
    """Return an entry of words."""
    return Entry(text, text)


def number(value: float | None, digits: int) -> Entry:
    """Return a number's entry: so many digits, thousands apart and without decimals from 1,000 on."""
    if value is None:
        return Entry(MISSING)
    return Entry(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}f}", value)


def share(value: float | None) -> Entry:
    """Return a share's entry, in percent."""
    return Entry(MISSING) if value is None else Entry(f"{value:.0%}", value)


def quality(metric: Metric, value: float | None) -> Entry:
    """Return a metric's entry, in its own digits."""
    return number(value, metric.digits)


def block(title: str, columns: Sequence[Column], rows: Sequence[Sequence[Entry]]) -> Block:
    """Return a block, the best of each column with a direction marked; what prints the same is as good."""
    done = [list(row) for row in rows]
    for place, column in enumerate(columns):
        numbers = [value for row in done if isinstance(value := row[place].value, float | int)]
        if column.better is None or not numbers:
            continue
        wanted = (max if column.better == "higher" else min)(numbers)
        shown = next(row[place].text for row in done if row[place].value == wanted)
        for row in done:
            row[place] = replace(row[place], best=row[place].text == shown)
    return Block(title, tuple(map(tuple, done)))
