"""Each format: what a terminal, Markdown, LaTeX, a spreadsheet and a program read."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.tables.formats import as_csv, as_json, latex, markdown, terminal
from tunescale_core.tables.table import MISSING, Column, Entry, Row, Table, block, number, words

COLUMNS = (
    Column("model", words=True),
    Column("F1", "arc", "higher"),
    Column("s", "arc", "lower"),
    Column("tokens", "squad_v2"),
)
TEXT = st.text(st.characters(codec="utf-8"))


def rows(*lines: tuple[str, float | None, float | None, float | None]) -> list[Row]:
    return [Row(name, (words(name), number(f1, 4), number(s, 4), number(n, 1))) for name, f1, s, n in lines]


TUNED = block("trained on arc", COLUMNS, rows(("small", 0.51234567, 0.5, 7), ("other", 0.25, 0.125, 12345.678)))
UNTUNED = block("untuned", COLUMNS, rows(("large", None, 2.0, 3)))
TABLE = Table("t1", "A table", COLUMNS, (TUNED, UNTUNED), ("first note", "second note"))
SHOW: list[Callable[[Table], str]] = [terminal, markdown, latex]


def cell(text: str) -> Table:
    """Return a table of this text alone."""
    columns = (Column("x", words=True),)
    return Table("t", "T", columns, (block("", columns, [Row("k", (words(text),))]),))


@pytest.mark.parametrize("show", SHOW)
def test_everything_is_shown(show: Callable[[Table], str]) -> None:
    """Every format for readers has the heads, the block titles, each entry and the notes, in their order."""
    found = show(TABLE)
    places = [
        found.index(text)
        for text in ("model", "F1", "trained on arc", "small", "0.5123", "12,346", "untuned", "large", "first note")
    ]
    assert places == sorted(places)
    assert "second note" in found


def test_a_terminal_names_a_group_once() -> None:
    """Over a task's columns its name stands once, and arrows say which way is better."""
    heads = terminal(TABLE).split("---")[0].splitlines()
    assert heads[0].split() == ["arc", "squad_v2"]
    assert heads[1].split() == ["model", "F1", "↑", "s", "↓", "tokens"]


def test_a_terminal_bolds_the_best() -> None:
    """The best of each block's columns is given to what makes bold, and nothing else is."""
    found = terminal(TABLE, lambda text: f"*{text}*")
    assert re.findall(r"\*(.*?)\*", found) == ["0.5123", "0.1250", "2.0000"]


def test_a_terminal_puts_notes_below() -> None:
    """Notes are lines of their own, in parentheses."""
    assert terminal(TABLE).splitlines()[-2:] == ["(first note)", "(second note)"]


def test_markdown_is_one_table() -> None:
    """Markdown has a title, a table whose rows all have as many cells, the best in bold, and the notes."""
    found = markdown(TABLE).splitlines()
    assert found[0] == "**A table**"
    lines = [[part.strip() for part in line.strip("|").split("|")] for line in found if line.startswith("|")]
    assert {len(line) for line in lines} == {len(COLUMNS)}
    assert lines[0] == ["model", "arc F1 ↑", "arc s ↓", "squad_v2 tokens"]
    assert lines[2:4] == [["*trained on arc*", "", "", ""], ["small", "**0.5123**", "0.5000", "7.0"]]
    assert lines[-1] == ["large", MISSING, "**2.0000**", "3.0"]
    assert found[-1] == "second note"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("squad_v2", r"squad\_v2"),
        ("50%", r"50\%"),
        ("Q&A", r"Q\&A"),
        ("$5 #1 {x}", r"\$5 \#1 \{x\}"),
        ("a\\b", r"a\textbackslash b"),
        (MISSING, "--"),
        ("a → b", r"a $\to$ b"),
    ],
)
def test_latex_is_escaped(text: str, escaped: str) -> None:
    """What LaTeX would read as a command is escaped."""
    (line,) = [line for line in latex(cell(text)).splitlines() if line.startswith(" ") and line.split()[0] != "x"]
    assert line.removesuffix("\\\\").strip() == escaped


def test_latex_heads_and_titles_are_escaped() -> None:
    """Heads show arrows as mathematics, and names with underscores are escaped there too."""
    found = latex(TABLE)
    assert r"arc F1 $\uparrow$" in found
    assert r"arc s $\downarrow$" in found
    assert r"squad\_v2 tokens" in found
    assert r"\textit{trained on arc}" in found


def test_latex_has_the_rules_of_booktabs() -> None:
    """A tabular has one rule above, one below the heads and one at the end, the best in bold, the rest as comments."""
    found = latex(TABLE)
    assert [found.count(rule) for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\hline")] == [1, 1, 1, 0]
    assert found.count("\\begin{tabular}{lrrr}") == found.count("\\end{tabular}") == 1
    assert r"\textbf{0.5123}" in found
    assert [line for line in found.splitlines() if line.startswith("%")] == [
        "% A table",
        "% first note",
        "% second note",
    ]


def test_csv_has_one_header_and_a_row_a_row() -> None:
    """A spreadsheet has a block's title in a column of its own, whole numbers without separators, gaps empty."""
    found = list(csv.reader(io.StringIO(as_csv(TABLE), newline="")))
    assert found == [
        ["block", "model", "arc F1", "arc s", "squad_v2 tokens"],
        ["trained on arc", "small", "0.51234567", "0.5", "7"],
        ["trained on arc", "other", "0.25", "0.125", "12345.678"],
        ["untuned", "large", "", "2.0", "3"],
    ]


@given(TEXT)
def test_any_text_survives_csv(text: str) -> None:
    """Whatever an entry says (but a bare carriage return), a CSV reader reads it back."""
    (_, (_, found)) = csv.reader(io.StringIO(as_csv(cell(text)), newline=""))
    assert found == text


@given(st.floats(allow_nan=False))
def test_numbers_survive_csv_and_json(value: float) -> None:
    """Numbers keep full precision, however few digits are shown; what JSON has no number for is null there."""
    columns = (Column("x"),)
    one = Table("t", "T", columns, (block("", columns, [Row("k", (number(value, 2),))]),))
    (_, (_, found)) = csv.reader(io.StringIO(as_csv(one), newline=""))
    assert float(found) == value
    assert json.loads(as_json([one]))["t"]["rows"][0]["x"] == (value if math.isfinite(value) else None)


@given(TEXT)
def test_any_text_survives_json(text: str) -> None:
    """Whatever an entry says, a JSON reader reads it back."""
    assert json.loads(as_json([cell(text)]))["t"]["rows"] == [{"block": "", "x": text}]


def test_json_has_a_table_by_name() -> None:
    """A program finds each table by name: rows as objects, null where nothing was measured, what is best, notes."""
    found = json.loads(as_json([TABLE, cell("y")]))
    assert set(found) == {"t1", "t"}
    assert found["t1"]["title"] == "A table"
    assert found["t1"]["notes"] == ["first note", "second note"]
    assert found["t1"]["rows"][0] == {
        "block": "trained on arc",
        "model": "small",
        "arc_F1": 0.51234567,
        "arc_s": 0.5,
        "squad_v2_tokens": 7,
    }
    assert found["t1"]["rows"][2]["arc_F1"] is None
    assert found["t1"]["best"] == [["arc_F1"], ["arc_s"], ["arc_s"]]


def test_the_same_entries_in_every_format() -> None:
    """An entry's text is what readers see, and its value what programs get."""
    columns = (Column("x"),)
    one = Table("t", "T", columns, (block("", columns, [Row("k", (Entry("1.5*", 1.4999),))]),))
    assert all("1.5*" in show(one) for show in SHOW)
    assert as_csv(one) == '"block","x"\n"",1.4999\n'


def test_a_bar_in_markdown_is_no_column() -> None:
    """A name with a bar in it stays in its column."""
    assert "a\\|b" in markdown(cell("a|b"))


@pytest.mark.parametrize(("text", "escaped"), [("a^b", "a\\textasciicircum{}b"), ("~", "\\textasciitilde{}")])
def test_latex_accents_are_escaped(text: str, escaped: str) -> None:
    """A caret and a tilde are printed as they are, not read as commands."""
    assert escaped in latex(cell(text))


def test_a_lone_carriage_return_survives_csv() -> None:
    """An entry with a carriage return is one entry of one row when read back."""
    read = list(csv.reader(io.StringIO(as_csv(cell("a\rb")), newline="")))
    assert any("a\rb" in row for row in read)
