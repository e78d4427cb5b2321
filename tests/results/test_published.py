"""Published tables: the paper's own as it ships, what a table may leave out, and what it may not say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunescale_core.errors import ResultsError
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.published import TASK_COLUMNS, read_table, reference
from tunescale_core.tasks import TASKS

HEAD = "base,method,rank,trained_on,arc_f1,arc_lat"
HEADS = ("base", "method", "rank", "trained_on", *(name for pair in TASK_COLUMNS.values() for name in pair))
BASE = Candidate("m", "base")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FIGURES = st.none() | FINITE
SECONDS = st.none() | st.floats(0, exclude_min=True, allow_infinity=False)
CANDIDATES = st.builds(
    lambda model, method, task, rank: (
        Candidate(model, "base")
        if method == "base"
        else Candidate(model, f"lora-r{rank}" if method == "lora" else "full", task, rank if method == "lora" else None)
    ),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{0,10}", fullmatch=True),
    st.sampled_from(["base", "full", "lora"]),
    st.sampled_from(list(TASK_COLUMNS)),
    st.integers(1, 2048),
)
TABLES = st.dictionaries(
    CANDIDATES,
    st.fixed_dictionaries(
        {task: st.tuples(FIGURES, SECONDS).filter(lambda pair: pair != (None, None)) for task in TASK_COLUMNS}
    ),
    min_size=1,
    max_size=5,
)


def table(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_the_papers_table() -> None:
    """The paper's table has 16 candidates, all asked three tasks: 48 cells without rows."""
    found = reference("paper")
    assert (len(found.candidates), len(found.cells)) == (16, 48)
    assert found.tasks == ("arc", "openmath", "squad_v2")
    assert (found.tuned, found.larger) == (("Qwen3-0.6B",), ("Qwen3-1.7B",))
    assert all(cell.record is None and cell.rows is None and cell.seed is None for cell in found.cells)
    assert all(cell.metric is TASKS[cell.kind].primary and cell.kind == cell.task for cell in found.cells)
    assert found.source.endswith("paper_table1.csv")


@pytest.mark.parametrize(
    ("candidate", "task", "quality", "latency"),
    [
        (Candidate("Qwen3-0.6B", "lora-r1024", "arc", 1024), "arc", 0.4921, 0.1557),
        (Candidate("Qwen3-0.6B", "full", "openmath"), "openmath", 16540.0, 0.0482),
        (Candidate("Qwen3-0.6B", "full", "squad_v2"), "squad_v2", 27.95, 0.2202),
        (Candidate("Qwen3-0.6B", "base"), "openmath", 24834.0, 6.0139),
        (Candidate("Qwen3-1.7B", "base"), "squad_v2", 30.36, 0.2837),
    ],
)
def test_figures_of_the_papers_table(candidate: Candidate, task: str, quality: float, latency: float) -> None:
    """Figures of the paper's table are found under the candidate and the task they were printed for."""
    found = reference("paper")
    assert (found.quality(candidate, task), found.latency(candidate, task)) == (quality, latency)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TABLES)
def test_tables_are_read_back_equal(
    tmp_path: Path, figures: dict[Candidate, dict[str, tuple[float | None, float | None]]]
) -> None:
    """Any numbers written in the table's form are read back, each in its place and none other."""
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADS)
        for one, row in figures.items():
            method = "lora" if one.rank else one.method
            numbers = [number for task in TASK_COLUMNS for number in row[task]]
            writer.writerow([one.model, method, one.rank, one.trained_on or "none", *numbers])
    found = read_table(path)
    assert {(cell.candidate, cell.task): (cell.quality, cell.latency) for cell in found.cells} == {
        (one, task): pair for one, row in figures.items() for task, pair in row.items()
    }
    assert len(found.cells) == len(figures) * len(TASK_COLUMNS)


@pytest.mark.parametrize("untuned", ["none", "", " none "])
def test_untuned_rows(tmp_path: Path, untuned: str) -> None:
    """An untuned model's row says none, or nothing, for what it was trained on."""
    (cell,) = read_table(table(tmp_path, f" m , base ,,{untuned},0.5,1.25")).cells
    assert (cell.candidate, cell.quality, cell.latency) == (BASE, 0.5, 1.25)


def test_a_byte_order_mark_is_let_pass(tmp_path: Path) -> None:
    """A table that a spreadsheet saved with a byte order mark is read like any other."""
    path = tmp_path / "table.csv"
    path.write_text(f"{HEAD}\r\nm,base,,none,0.5,1\r\n", encoding="utf-8-sig")
    assert read_table(path).quality(BASE, "arc") == 0.5


def test_thousands_separators(tmp_path: Path) -> None:
    """Figures with commas between thousands, quoted as CSV needs it, are the numbers they show."""
    head = "base,method,rank,trained_on,math_absdiff,math_lat"
    found = read_table(table(tmp_path, 'm,base,,none,"1,024,834.5","1,000"', head=head))
    assert (found.quality(BASE, "openmath"), found.latency(BASE, "openmath")) == (1024834.5, 1000.0)


def test_empty_figures_are_left_out(tmp_path: Path) -> None:
    """An empty figure is missing; a cell with neither of its two is not there at all."""
    rows = ["m,base,,none,0.5,,", "n,base,,none,,1.5,", "o,base,,none, ,,7,2"]
    found = read_table(table(tmp_path, *rows, head=f"{HEAD},squad_f1,squad_lat"))
    assert [(cell.candidate.model, cell.task, cell.quality, cell.latency) for cell in found.cells] == [
        ("m", "arc", 0.5, None),
        ("n", "arc", None, 1.5),
        ("o", "squad_v2", 7.0, 2.0),
    ]


def test_tasks_without_columns_are_left_out(tmp_path: Path) -> None:
    """A task that lacks one of its two columns is not in the results; other columns are let pass."""
    head = "note,base,method,rank,trained_on,squad_f1,arc_f1,arc_lat,math_lat"
    found = read_table(table(tmp_path, "x,m,base,,none,7,0.5,1,2", head=head))
    assert found.tasks == ("arc",)


@pytest.mark.parametrize("name", ["base", "method", "rank", "trained_on"])
def test_naming_columns_are_needed(tmp_path: Path, name: str) -> None:
    """A table without one of the naming columns is refused by that column's name."""
    head = HEAD.replace(name, f"not_{name}", 1)
    with pytest.raises(ResultsError) as caught:
        read_table(table(tmp_path, "m,base,,none,0.5,1", head=head))
    path = tmp_path / "table.csv"
    wanted = f"table {path} lacks the column {name}; see benchmarks/baselines/paper_table1.csv"
    assert str(caught.value) == wanted


def test_some_task_is_needed(tmp_path: Path) -> None:
    """A table with both columns of no task is refused, and told which pairs there could be."""
    wanted = "lacks the column arc_f1 and arc_lat or math_absdiff and math_lat or squad_f1 and squad_lat"
    with pytest.raises(ResultsError, match=wanted):
        read_table(table(tmp_path, "m,base,,none,0.5", head="base,method,rank,trained_on,arc_f1"))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",base,,none,0.5,1", "base is empty: name the model"),
        ("m,adapter,,arc,0.5,1", "method must be base, full or lora, got 'adapter'"),
        ("m,BASE,,none,0.5,1", "method must be base, full or lora, got 'BASE'"),
        ("m,,,none,0.5,1", "method must be base, full or lora, got ''"),
        ("m,base,,arc,0.5,1", "trained_on 'arc' does not go with method base"),
        ("m,full,,none,0.5,1", "trained_on 'none' does not go with method full"),
        ("m,lora,8,,0.5,1", "trained_on '' does not go with method lora"),
        ("m,full,,chess,0.5,1", "trained_on must be one of arc, openmath, squad_v2, got 'chess'"),
        ("m,lora,,arc,0.5,1", "rank must be a whole number for lora and empty otherwise, got ''"),
        ("m,lora,0,arc,0.5,1", "rank must be a whole number for lora and empty otherwise, got '0'"),
        ("m,lora,-8,arc,0.5,1", "rank must be a whole number for lora and empty otherwise, got '-8'"),
        ("m,lora,8.5,arc,0.5,1", "rank must be a whole number for lora and empty otherwise, got '8.5'"),
        ("m,full,8,arc,0.5,1", "rank must be a whole number for lora and empty otherwise, got '8'"),
        ("m,base,8,none,0.5,1", "rank must be a whole number for lora and empty otherwise, got '8'"),
        ("m,base,,none,half,1", "arc_f1 must be a number, got 'half'"),
        ("m,base,,none,nan,1", "arc_f1 must be a number, got 'nan'"),
        ("m,base,,none,0.5,inf", "arc_lat must be a number, got 'inf'"),
        ("m,base,,none,0.5,1e999", "arc_lat must be a number, got '1e999'"),
        ("m,base,,none,0.5,1s", "arc_lat must be a number, got '1s'"),
        ("m,base,,none,0.5,0", "arc_lat must be more than 0 seconds, got 0"),
        ("m,base,,none,0.5,-1.5", "arc_lat must be more than 0 seconds, got -1.5"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, row: str, fault: str) -> None:
    """A row that is not of the table's form is one line that names the file, the line and the fault."""
    with pytest.raises(ResultsError) as caught:
        read_table(table(tmp_path, "n,base,,none,0.5,1", row))
    path = tmp_path / "table.csv"
    assert str(caught.value) == f"table {path} line 3: {fault}"


@pytest.mark.parametrize("rows", [(), ("m,base,,none,,",), ("m,base",)])
def test_a_table_without_figures_is_refused(tmp_path: Path, rows: tuple[str, ...]) -> None:
    """A table of no rows, or of rows without figures, has nothing to say."""
    with pytest.raises(ResultsError, match=r"table .*table\.csv has no figures$"):
        read_table(table(tmp_path, *rows))


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (["m,base,,none,0.5,1", "m,base,,,0.6,2"], "m-base for arc comes twice"),
        (["m,lora,8,arc,0.5,1", "m,full,,arc,0.6,1", "m,lora,8,arc,0.5,"], "m-lora-r8-on-arc for arc comes twice"),
    ],
)
def test_duplicates_are_refused(tmp_path: Path, rows: list[str], named: str) -> None:
    """Two rows for one candidate are an error that names it."""
    with pytest.raises(ResultsError, match=named):
        read_table(table(tmp_path, *rows))


def test_rows_may_share_a_candidate_where_tasks_differ(tmp_path: Path) -> None:
    """Two rows of one candidate that fill different tasks are put together."""
    head = f"{HEAD},squad_f1,squad_lat"
    found = read_table(table(tmp_path, "m,base,,none,0.5,1,,", "m,base,,none,,,9,2", head=head))
    assert found.candidates == (BASE,)
    assert (found.quality(BASE, "arc"), found.quality(BASE, "squad_v2")) == (0.5, 9.0)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"base," + b"x" * 200_000])
def test_an_unreadable_file_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, not text or not CSV is one line that names it."""
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResultsError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"table {path} cannot be read: ")
    assert "\n" not in str(caught.value)


def test_references_by_path(tmp_path: Path) -> None:
    """A reference may be any table's path."""
    path = table(tmp_path, "m,base,,none,0.5,1")
    assert reference(str(path)).cells == read_table(path).cells


@pytest.mark.parametrize("name", ["papers", "no/such/file.csv", ""])
def test_unknown_references(name: str) -> None:
    """A name that is neither shipped nor a file is told what could be given."""
    with pytest.raises(ResultsError) as caught:
        reference(name)
    assert str(caught.value) == f"no reference {name!r}: give paper, or the path of a CSV in the form of its table"


@pytest.mark.parametrize("row", ["m,base,,none,22,871,1.5", 'm,base,,none,"0,4921",1.5', "m,base,,none,4_9,1"])
def test_no_comma_or_underscore_shifts_a_figure(tmp_path: Path, row: str) -> None:
    """An unquoted thousand, a decimal comma and an underscore are refused rather than read as another number."""
    with pytest.raises(ResultsError, match=r"line 2: "):
        read_table(table(tmp_path, row))


def test_the_line_is_the_files_own(tmp_path: Path) -> None:
    """Blank lines count in the line that a fault is reported on."""
    with pytest.raises(ResultsError, match=r"line 5: method must be"):
        read_table(table(tmp_path, "m,base,,none,0.5,1", "", "", "m,fool,,arc,0.5,1"))


def test_a_padded_rank_is_the_same_rank(tmp_path: Path) -> None:
    """032 is 32, so the two are one candidate, and it comes twice."""
    with pytest.raises(ResultsError, match=r"line 3: m-lora-r32-on-arc for arc comes twice"):
        read_table(table(tmp_path, "m,lora,32,arc,0.5,1", "m,lora,032,arc,0.6,1"))


def test_a_repeated_column_is_refused(tmp_path: Path) -> None:
    """Two columns of one name would leave it open which counts."""
    with pytest.raises(ResultsError, match="'arc_f1' twice"):
        read_table(table(tmp_path, "m,base,,none,0.5,1,0.6", head=f"{HEAD},arc_f1"))
