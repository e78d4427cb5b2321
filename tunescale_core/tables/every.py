"""Every table that results have, and every format to show them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tunescale_core.results.ranks import Ties
from tunescale_core.results.results import Results
from tunescale_core.tables.flags import flagged, told_once
from tunescale_core.tables.formats import as_csv, as_json, latex, markdown, terminal
from tunescale_core.tables.latency_table import latency_table
from tunescale_core.tables.lora_tables import table2, table3, transfer_table
from tunescale_core.tables.search_table import search_table
from tunescale_core.tables.serving_table import serving_table
from tunescale_core.tables.study_table import output_table, table1
from tunescale_core.tables.table import Table, beside

FORMATS: Mapping[str, Callable[[Sequence[Table]], str]] = {
    "terminal": lambda tables: "\n\n".join(f"{table.title}\n\n{terminal(table)}" for table in told_once(tables)),
    "markdown": lambda tables: "\n".join(map(markdown, tables)),
    "latex": lambda tables: "\n".join(map(latex, tables)),
    "csv": lambda tables: "\n".join(f"# {table.name}\n{as_csv(table)}" for table in tables),
    "json": as_json,
}


def every_table(results: Results, ties: Ties = "latency", reference: Results | None = None) -> tuple[Table, ...]:
    """Return the tables that have at least one row; with a reference, its figures stand beside in each."""
    found = _tables(results, ties)
    if reference is not None:
        theirs = {table.name: table for table in _tables(reference, ties)}
        name = Path(reference.source).stem.removesuffix("_table1")
        found = [beside(table, theirs[table.name], name) if table.name in theirs else table for table in found]
    found = [flagged(table, results) for table in found]
    return tuple(table for table in found if any(block.rows for block in table.blocks))


def run_tables(results: Results) -> tuple[Table, ...]:
    """Return the tables that end a run: the grid and its output, and how it was served where that varies."""
    found = [table1(results), output_table(results)] if results.cells else []
    found += [serving_table(results)] if results.served else []
    return tuple(flagged(table, results) for table in found)


def _tables(results: Results, ties: Ties) -> list[Table]:
    outputs = [output_table(results)] if any(cell.record for cell in results.cells) else []
    others = [table2(results, ties), table3(results), transfer_table(results), latency_table(results)]
    more = [search_table(results), serving_table(results)]
    return [table1(results), *outputs, *others, *more]
