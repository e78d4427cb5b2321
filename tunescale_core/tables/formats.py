"""Tables as text: for a terminal, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tabulate import tabulate

from tunescale_core.plain_json import dumps
from tunescale_core.tables.table import Column, Entry, Table

Bold = Callable[[str], str]
ARROWS = {"higher": " ↑", "lower": " ↓", None: ""}


def plain(text: str) -> str:
    """Leave text as it is: for where there is no bold."""
    return text


def terminal(table: Table, bold: Bold = plain) -> str:
    """Return a table for a terminal, block titles as rows of their own."""
    grouped = any(column.group for column in table.columns)
    heads = [f"{column.group}\n{_head(column)}" if grouped else _head(column) for column in table.columns]
    lines = list(_rows(table, bold))
    body = tabulate(lines, _once(table.columns, heads), "simple", disable_numparse=True, colalign=_sides(table))
    return "\n".join([body, *(f"({note})" for note in table.notes)])


def markdown(table: Table) -> str:
    """Return a table in GitHub's Markdown, the best in bold."""
    heads = [" ".join(part for part in (column.group, _head(column)) if part) for column in table.columns]
    lines = list(_rows(table, lambda text: f"**{text}**", title=lambda text: f"*{text}*", escape=_markdown_escaped))
    body = tabulate(lines, heads, "github", disable_numparse=True, colalign=_sides(table))
    return "\n\n".join([f"**{table.title}**", body, *table.notes]) + "\n"


def latex(table: Table) -> str:
    """Return a `tabular` with rules of the booktabs package, the best in bold."""
    heads = [_latex_escaped(f"{column.group} {_head(column)}".strip()) for column in table.columns]
    bold, italic = (lambda text: f"\\textbf{{{text}}}"), (lambda text: f"\\textit{{{text}}}")
    lines = _rows(table, bold, title=italic, escape=_latex_escaped)
    body = tabulate(lines, heads, "latex_raw", disable_numparse=True, colalign=_sides(table))
    ruled = (
        body.replace("\\hline", "\\toprule", 1).replace("\\hline", "\\midrule", 1).replace("\\hline", "\\bottomrule")
    )
    return "\n".join([f"% {table.title}", ruled, *(f"% {note}" for note in table.notes)]) + "\n"


def as_csv(table: Table) -> str:
    """Return a table as CSV: a block's title in a column of its own, numbers at full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["block", *(" ".join(p for p in (c.group, c.head) if p) for c in table.columns)])
    for block in table.blocks:
        writer.writerows(
            [block.title, *("" if e.value is None else e.value for e in row.entries)] for row in block.rows
        )
    return out.getvalue()


def as_json(tables: Iterable[Table]) -> str:
    """Return tables as one JSON object by name, each with its columns, rows and notes."""
    return dumps({table.name: _object(table) for table in tables}, ascii_only=False) + "\n"


def _object(table: Table) -> dict[str, Any]:
    keys = ["_".join(part for part in (column.group, column.head) if part) for column in table.columns]
    rows = [
        {"block": block.title, **{key: entry.value for key, entry in zip(keys, row.entries, strict=True)}}
        for block in table.blocks
        for row in block.rows
    ]
    best = [
        [key for key, entry in zip(keys, row.entries, strict=True) if entry.best]
        for b in table.blocks
        for row in b.rows
    ]
    return {"title": table.title, "rows": rows, "best": best, "notes": list(table.notes)}


def _head(column: Column) -> str:
    return f"{column.head}{ARROWS[column.better]}"


def _once(columns: Sequence[Column], heads: list[str]) -> list[str]:
    """Leave a group's name out over its later columns."""
    return [
        "\n" + head.split("\n", 1)[1]
        if place and "\n" in head and column.group and columns[place - 1].group == column.group
        else head
        for place, (column, head) in enumerate(zip(columns, heads, strict=True))
    ]


def _rows(
    table: Table,
    bold: Bold,
    *,
    title: Bold = plain,
    escape: Bold = plain,
) -> Iterable[list[str]]:
    for block in table.blocks:
        if block.title:
            yield [title(escape(block.title)), *[""] * (len(table.columns) - 1)]
        for row in block.rows:
            yield [_marked(entry, bold, escape) for entry in row.entries]


def _marked(entry: Entry, bold: Bold, escape: Bold) -> str:
    return bold(escape(entry.text)) if entry.best else escape(entry.text)


def _sides(table: Table) -> tuple[str, ...]:
    return tuple("left" if column.words else "right" for column in table.columns)


def _markdown_escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _latex_escaped(text: str) -> str:
    for character in "\\&%$#_{}":
        text = text.replace(character, f"\\{character}" if character != "\\" else "\\textbackslash ")
    text = text.replace("^", "\\textasciicircum{}").replace("~", "\\textasciitilde{}")
    return (
        text.replace("↑", "$\\uparrow$")
        .replace("↓", "$\\downarrow$")
        .replace("–", "--")
        .replace("→", "$\\to$")
        .replace("†", "$\\dagger$")
    )
