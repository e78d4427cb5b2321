"""What stands beside a candidate whose training went wrong, so that no table shows it like any other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tunescale_core.results.candidate import Candidate
from tunescale_core.results.results import Results
from tunescale_core.tables.table import Entry, Row, Table

MARK = "†"
NAMES = ("method", "candidate")
"""Heads of the columns that say which candidate a row is about."""
SUMS = ("table2", "table3")
"""Tables whose rows rest on several candidates."""


def flagged(table: Table, results: Results) -> Table:
    """Return a table with a mark on every row about a flagged candidate, and a note a candidate; itself without any."""
    if not results.flags:
        return table
    place = next((place for place, column in enumerate(table.columns) if column.head in NAMES), None)
    labels = {results.label(one): one for one in results.flags}
    seen: dict[Candidate, None] = dict.fromkeys(results.flags if table.name in SUMS else ())

    def marked(row: Row) -> Row:
        about = next((one for label, one in labels.items() if f"{row.key} ".startswith(f"{label} ")), None)
        if about is None or place is None:
            return row
        seen[about] = None
        entries = list(row.entries)
        entries[place] = with_mark(entries[place])
        return replace(row, entries=tuple(entries))

    blocks = tuple(replace(block, rows=tuple(map(marked, block.rows))) for block in table.blocks)
    notes = tuple(flag_note(results, one) for one in results.flags if one in seen)
    return replace(table, blocks=blocks, notes=(*table.notes, *notes))


def told_once(tables: Sequence[Table]) -> Iterator[Table]:
    """Yield tables that are read one after another, each flag's note under the first that has it alone."""
    told: set[str] = set()
    for table in tables:
        notes = tuple(note for note in table.notes if note not in told)
        told.update(note for note in notes if note.startswith(MARK))
        yield replace(table, notes=notes)


def with_mark(entry: Entry) -> Entry:
    """Return an entry with the mark; words carry it in CSV and JSON too, for they have nothing else to say it with."""
    value = f"{entry.value} {MARK}" if isinstance(entry.value, str) else entry.value
    return replace(entry, text=f"{entry.text} {MARK}", value=value)


def flag_note(results: Results, one: Candidate) -> str:
    """Return what the mark stands for: `† m-lora-r4-on-arc: its adapter changed nothing`."""
    return f"{MARK} {one.id}: {'; '.join(results.flags[one])}"
