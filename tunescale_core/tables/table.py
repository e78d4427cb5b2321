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

    @property
    def subject(self) -> str:
        """What its group is about without the reference whose figures it has: `arc` of `paper arc`; "" without one."""
        return self.group.rpartition(" ")[2]


@dataclass(frozen=True)
class Entry:
    """One place of a table."""

    text: str
    value: float | str | None = None
    """What the text shows, at full precision."""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A row, and what it is about whatever the study calls it, so that another study's can stand beside."""

    key: str
    entries: tuple[Entry, ...]
    model: str = ""
    """Where the row is about one candidate: its model, and its method below; for filters."""
    method: str = ""


@dataclass(frozen=True)
class Block:
    """Rows under a title of their own; within a block the best of each column is marked."""

    title: str
    rows: tuple[Row, ...]


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


def block(title: str, columns: Sequence[Column], rows: Sequence[Row]) -> Block:
    """Return a block, the best of each column with a direction marked; what prints the same is as good."""
    done = [list(row.entries) for row in rows]
    for place, column in enumerate(columns):
        numbers = [value for row in done if isinstance(value := row[place].value, float | int)]
        if column.better is None or not numbers:
            continue
        wanted = (max if column.better == "higher" else min)(numbers)
        shown = next(row[place].text for row in done if row[place].value == wanted)
        for row in done:
            row[place] = replace(row[place], best=row[place].text == shown)
    return Block(title, tuple(replace(row, entries=tuple(entries)) for row, entries in zip(rows, done, strict=True)))


def beside(table: Table, other: Table, name: str) -> Table:
    """Return a table with another's figures as further columns, row by row of the same key; missing where it has none.

    Where it has none at all, the table is returned as it is.

    Args:
        table: One's own.
        other: The same table of other results; its columns are found by group and head.
        name: What the other results are called.
    """
    places = [place for place, column in enumerate(table.columns) if not column.words]
    theirs = {(column.group, column.head): place for place, column in enumerate(other.columns)}
    rows = {row.key: row.entries for block in other.blocks for row in block.rows}
    extra = [replace(table.columns[p], group=f"{name} {table.columns[p].group}".strip(), better=None) for p in places]

    def widened(row: Row) -> Row:
        found = rows.get(row.key)
        at = [theirs.get((table.columns[place].group, table.columns[place].head)) for place in places]
        added = [Entry(MISSING) if found is None or p is None else replace(found[p], best=False) for p in at]
        return replace(row, entries=(*row.entries, *added))

    blocks = tuple(replace(block, rows=tuple(map(widened, block.rows))) for block in table.blocks)
    if all(entry.value is None for one in blocks for row in one.rows for entry in row.entries[len(table.columns) :]):
        return table
    return replace(table, columns=(*table.columns, *extra), blocks=blocks)
