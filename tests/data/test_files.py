"""Rows of data files in every format, and what is said of files that are not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.files import MATHS, WRITERS
from tunescale_core.data.files import read_file
from tunescale_core.errors import DataError
from tunescale_core.tasks import TASKS, Example

NESTED = {
    "version": "v2.0",
    "data": [
        {
            "title": "Mills",
            "paragraphs": [
                {
                    "context": "Mara works at the mill.",
                    "qas": [
                        {"id": "1", "question": "Where?", "answers": [{"text": "the mill", "answer_start": 14}]},
                        {"id": "2", "question": "Why?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        },
        {"paragraphs": [{"context": "Odo plays.", "qas": [{"id": "3", "question": "Who?", "answers": []}]}]},
    ],
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    """JSON, JSONL, CSV and Parquet files of the same rows read alike."""
    path = tmp_path / f"rows.{suffix}"
    WRITERS[suffix](path, MATHS)
    assert list(read_file(path)) == MATHS


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=10) | st.integers() | st.none()), max_size=5))
def test_json_rows_come_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """Any list of objects reads back from JSON as it was written."""
    path = tmp_path_factory.mktemp("json") / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    assert list(read_file(path)) == rows


def test_rows_under_a_data_key_are_read(tmp_path: Path) -> None:
    """A JSON object whose `data` lists plain rows gives those rows, and a lone object is one row."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"data": MATHS}), encoding="utf-8")
    assert list(read_file(path)) == MATHS
    path.write_text(json.dumps(MATHS[0]), encoding="utf-8")
    assert list(read_file(path)) == MATHS[:1]


def test_squads_nested_layout_is_flattened(tmp_path: Path) -> None:
    """Every question of every paragraph becomes a row in the columns of the hub's data set."""
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(NESTED), encoding="utf-8")
    rows = list(read_file(path))
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert rows[0] == {
        "id": "1",
        "title": "Mills",
        "context": "Mara works at the mill.",
        "question": "Where?",
        "answers": {"text": ["the mill"], "answer_start": [14]},
    }
    assert rows[1]["answers"] == {"text": [], "answer_start": []}
    examples = [TASKS["squad_v2"].example(row, "answer") for row in rows]
    assert [example.gold for example in examples if isinstance(example, Example)] == [("the mill",), (), ()]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", b"{broken"),
        ("rows.json", b'[\n{"a": 1},\n{"a": }\n]'),
        ("rows.json", b"[1, 2]"),
        ("rows.json", b'"text"'),
        ("rows.json", b"\xff\xfe\xff"),
        ("rows.jsonl", b'{"a": 1}\n{"a": '),
        ("rows.csv", b""),
        ("rows.parquet", b"no parquet"),
        ("rows.parquet", b""),
    ],
)
def test_a_file_that_is_not_of_its_format_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """A broken file raises an error that names it and its format."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} cannot be read as {name.rpartition('.')[2]}"):
        list(read_file(tmp_path / name))


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_missing_file_is_named(tmp_path: Path, suffix: str) -> None:
    """A file that does not exist raises an error with its path."""
    with pytest.raises(DataError, match=rf"none\.{suffix} does not exist"):
        read_file(tmp_path / f"none.{suffix}")


def test_numeric_csv_columns_stay_text(tmp_path: Path) -> None:
    """A CSV of plain numbers gives the text that tasks read."""
    path = tmp_path / "rows.csv"
    path.write_text("problem,expected_answer\nhi,3\n", encoding="utf-8")
    assert list(read_file(path)) == [{"problem": "hi", "expected_answer": "3"}]


@pytest.mark.parametrize(
    ("questions", "fault"),
    [
        ([{"id": 1, "question": "q", "answers": []}, {"id": 2, "question": "q"}], r"row 2 .* KeyError: 'answers'$"),
        ([{"id": 1, "question": "q", "answers": ["a"]}], r"row 1 .* TypeError: "),
        (None, "'qas'$"),
    ],
)
def test_malformed_squad_layout_is_a_data_error(tmp_path: Path, questions: list[Any] | None, fault: str) -> None:
    """A question without its answers key is named with file and row, not thrown as a bare KeyError."""
    path = tmp_path / "dev.json"
    paragraph = {"context": "c"} if questions is None else {"context": "c", "qas": questions}
    path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    with pytest.raises(DataError, match=rf"^data file .*dev\.json cannot be read as json: .*{fault}"):
        list(read_file(path))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"a": 1}\n\n{"a": ', "row 2 (line 3) is not JSON: Expecting value at column 7"),
        ('{"a": 1}\n[2]\n', "row 2 is list, not an object"),
        ('{"a": \n{"a": 1}', "JSONDecodeError: "),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, content: str, fault: str) -> None:
    """A line that is no JSON object is named by row and line, not by its place within itself."""
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=re.escape(f"rows.jsonl cannot be read as jsonl: {fault}")):
        list(read_file(path))


@pytest.mark.parametrize("mark", ["\u2028", "\x85"])
def test_only_a_newline_ends_a_row(tmp_path: Path, mark: str) -> None:
    """Characters that Unicode calls line ends stand within texts of real data and end no row."""
    path = tmp_path / "rows.jsonl"
    written = [{"problem": f"one{mark}two"}, {"problem": "three"}]
    lines = [json.dumps(row, ensure_ascii=False) for row in written]
    path.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    assert mark in lines[0]
    assert list(read_file(path)) == written


def test_a_byte_order_mark_is_no_part_of_the_data(tmp_path: Path) -> None:
    """JSON as some editors write it, with a mark before it, is read."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(MATHS), encoding="utf-8-sig")
    assert list(read_file(path)) == MATHS


def test_columns_without_a_name_are_let_pass(tmp_path: Path) -> None:
    """A spreadsheet's export may have empty columns at its end, in the header too."""
    (tmp_path / "sheet.csv").write_bytes(b"text,label,,\nhello,a,,\n")
    (row,) = read_file(tmp_path / "sheet.csv")
    assert (row["text"], row["label"]) == ("hello", "a")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "it is empty"),
        ("utf16.csv", "a,b\n1,ü\n".encode("utf-16"), "it is not UTF-8"),
        ("wide.csv", b"text,label\nhello,a,n1\nworld,b,n2\n", "its rows have more fields than its header, which has 2"),
        ("comma.csv", b"text,label\nhello,a,\n", "its rows have more fields than its header, which has 2"),
        ("twice.csv", b"text,label,label\nhello,a,b\n", "its header has 'label' twice"),
        ("latin.jsonl", '{"a": "ü"}\n'.encode("latin-1"), "it is not UTF-8 (byte 7): save it so"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """An empty file, or one of another encoding, is told by what it is, and not by a library's name for the error."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(said)):
        list(read_file(tmp_path / name))
