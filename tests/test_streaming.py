"""Data larger than memory: what is not asked for is not read, what was read is not kept, and the rows are the same."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.files import MATHS, WRITERS
from tunescale_core.data import files as data_files
from tunescale_core.data.examples import load_examples
from tunescale_core.data.files import read_file
from tunescale_core.errors import DataError
from tunescale_core.study.loading import load

MEGABYTE = 1 << 20
SIZE = 300_000_000
GROWTH = 64 * MEGABYTE
"""Bytes that reading may take beside what reading a small file took: a fifth of the file."""
ROWS = 100_000
STUDY = """
[study]
name = "large"
[models.m]
source = "embedded:mini-small"
methods = ["base"]
[tasks.openmath]
data = "train.jsonl"
eval_data = "rows.{suffix}"
skip = {skip}
eval_examples = 50
"""
CHILD = """
import resource, sys
from tunescale_core.data.examples import load_examples
from tunescale_core.study.loading import load

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

load_examples(load(sys.argv[1]), "openmath", "eval")  # small: what the libraries themselves take
before = peak()
found = load_examples(load(sys.argv[2]), "openmath", "eval")
print(len(found.rows), found.rows[0].messages[-1]["content"].split()[-1], peak() - before)
"""


def filler(place: int) -> str:
    return f"{place:06d} {'x' * 3020}"


def write_jsonl(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for place in range(ROWS):
            row = {"problem": f"{filler(place)} {place}", "generated_solution": "1", "expected_answer": "1"}
            file.write(json.dumps(row) + "\n")


def write_csv(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("problem,generated_solution,expected_answer\n")
        for place in range(ROWS):
            file.write(f"{filler(place)} {place},1,1\n")


def write_parquet(path: Path) -> None:
    """Write one row group, uncompressed: as hard to stream as such a file can be."""
    ones = pa.array(["1"] * ROWS)
    problems = pa.array([f"{filler(place)} {place}" for place in range(ROWS)])
    table = pa.table({"problem": problems, "generated_solution": ones, "expected_answer": ones})
    parquet.write_table(table, path, compression="none", use_dictionary=False, row_group_size=ROWS)


LARGE: dict[str, Callable[[Path], None]] = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is told by the resource module, which Windows lacks")
@pytest.mark.parametrize("skip", [0, ROWS - 100])
@pytest.mark.parametrize("suffix", LARGE)
def test_a_large_file_is_streamed(suffix: str, skip: int, tmp_path: Path) -> None:
    """Fifty rows at the start or the end of 300 MB take no more memory than a fifth of the file."""

    def small(path: Path) -> None:
        WRITERS[suffix](path, MATHS)

    for name, writer, passed in (("small", small, 0), ("large", LARGE[suffix], skip)):
        folder = tmp_path / name
        folder.mkdir()
        rows = folder / f"rows.{suffix}"
        writer(rows)
        (folder / "s.toml").write_text(STUDY.format(suffix=suffix, skip=passed))
    assert rows.stat().st_size >= SIZE
    command = [sys.executable, "-c", CHILD, str(tmp_path / "small" / "s.toml"), str(folder / "s.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=dict(os.environ))
    rows.unlink()
    number, first, growth = map(int, done.stdout.split())
    assert (number, first) == (50, skip)
    assert growth < GROWTH


VALUES = st.none() | st.integers() | st.text(max_size=9)
OBJECTS = st.lists(st.dictionaries(st.text(min_size=1, max_size=4), VALUES, min_size=1, max_size=3), max_size=30)


@given(rows=OBJECTS, blank=st.sampled_from(["", "\n", " \n\r\n", "\x0c\n"]), end=st.sampled_from(["", "\n"]))
@settings(max_examples=200)
def test_lines_are_read_as_a_whole_file_would_be(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], blank: str, end: str
) -> None:
    """JSON lines with blank ones between them are the objects that were written, however many are read at a time."""
    path = tmp_path_factory.mktemp("lines") / "rows.jsonl"
    path.write_text(f"\n{blank}".join(json.dumps(row) for row in rows) + end, encoding="utf-8")
    alone = len(rows) == 1 and isinstance(rows[0].get("data"), list)
    assert alone or list(read_file(path)) == rows


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
def test_chunks_change_nothing(suffix: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are read at a time, they are the same."""
    monkeypatch.setattr(data_files, "CHUNK", chunk)
    path = tmp_path / f"rows.{suffix}"
    WRITERS[suffix](path, MATHS)
    assert list(read_file(path)) == MATHS


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_no_file_stays_open(suffix: str, tmp_path: Path) -> None:
    """Once the examples are there, the file that they came from is closed, though it was not read to its end."""
    path = tmp_path / f"rows.{suffix}"
    WRITERS[suffix](path, MATHS * 2000)
    (tmp_path / "s.toml").write_text(STUDY.format(suffix=suffix, skip=0).replace("50", "2"))
    assert len(load_examples(load(str(tmp_path / "s.toml")), "openmath", "eval").rows) == 2
    assert str(path) not in {one.path for one in psutil.Process().open_files()}


def test_a_fault_is_met_where_it_is_read(tmp_path: Path) -> None:
    """A broken line is an error with its row once that row is asked for, and none to who asks for less."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n{"a": ', encoding="utf-8")
    assert list(islice(read_file(path), 2)) == [{"a": 1}, {"a": 2}]
    with pytest.raises(DataError, match=r"rows\.jsonl cannot be read as jsonl: row 3 \(line 3\) is not JSON"):
        list(read_file(path))
