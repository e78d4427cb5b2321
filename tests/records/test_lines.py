"""A cell's lines, to and from Parquet."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import line, record
from tunescale_core.errors import RecordError
from tunescale_core.records.files import read, write
from tunescale_core.records.lines import Line, parquet_of, read_lines, read_rows

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
COUNTS = st.integers(0, 2**40)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,30}", fullmatch=True)
LINES = st.builds(
    Line,
    example=WORDS,
    gold=st.lists(WORDS, max_size=3).map(tuple),
    text=WORDS,
    answer=st.none() | WORDS,
    tokens=COUNTS,
    finish=WORDS,
    reasoning_tokens=COUNTS,
    seconds=st.none() | st.floats(0, 1e6),
    first_token_seconds=st.none() | st.floats(0, 1e6),
    prompt_tokens=st.none() | COUNTS,
    scores=st.dictionaries(NAMES, st.floats(allow_nan=False), max_size=3),
)


@given(made=st.lists(LINES, min_size=1, max_size=4).map(tuple))
def test_lines_come_back(made: tuple[Line, ...], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any lines are read back as they were written, each with its own scores."""
    path = tmp_path_factory.getbasetemp() / "lines.parquet"
    path.write_bytes(parquet_of(made))
    assert read_lines(path) == made


def test_what_is_no_line_is_named(tmp_path: Path) -> None:
    """A Parquet file of something else is refused with the column that is wrong."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"example": ["1"], "tokens": ["many"]}), tmp_path / "other.parquet")
    with pytest.raises(RecordError, match=r"^rows [^\n]*other.parquet: \w+: "):
        read_lines(tmp_path / "other.parquet")


def test_missing_rows_are_refused(tmp_path: Path) -> None:
    """A record whose rows are gone or damaged is refused in one line that says what to do."""
    path = write(record(lines=(line(),)), tmp_path)
    (rows,) = tmp_path.glob("*.parquet")
    for damage in (lambda: rows.write_bytes(b"PAR1"), rows.unlink):
        damage()
        with pytest.raises(RecordError, match=r"^rows [^\n]*measure it again$"):
            read(path)


def test_flipped_rows_are_refused(tmp_path: Path) -> None:
    """Rows that are not what their name's hash says are refused before anything of them is used."""
    path = write(record(lines=(line(),)), tmp_path)
    (rows,) = tmp_path.glob("*.parquet")
    content = bytearray(rows.read_bytes())
    content[len(content) // 2] ^= 1
    rows.write_bytes(content)
    for reading in (lambda: read(path), lambda: read_rows(rows, ["tokens"])):
        with pytest.raises(RecordError, match=r"^rows [^\n]* are not what was written; measure it again$"):
            reading()
