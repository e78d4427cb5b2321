"""Records to and from disk."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import line as made_line
from tests.making import record as made_record
from tunescale_core.errors import RecordError
from tunescale_core.provenance import Provenance
from tunescale_core.records.files import read, read_all, read_head, write
from tunescale_core.records.lines import Line, read_rows
from tunescale_core.records.record import SCHEMA_VERSION, Record, Stages
from tunescale_core.store.manifest import TrainingCost

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SECONDS = st.floats(0, 1e6)
COUNTS = st.integers(0, 2**40)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,30}", fullmatch=True)
LINES = st.builds(
    Line,
    example=WORDS,
    group=WORDS,
    gold=st.lists(WORDS, max_size=3).map(tuple),
    text=WORDS,
    answer=st.none() | WORDS,
    tokens=COUNTS,
    finish=st.sampled_from(["stop", "length"]),
    reasoning_tokens=COUNTS,
    seconds=st.none() | SECONDS,
    first_token_seconds=st.none() | SECONDS,
    scores=st.dictionaries(NAMES, FINITE, max_size=2),
)
COSTS = st.builds(
    TrainingCost,
    seconds=FINITE,
    tokens=COUNTS,
    steps=COUNTS,
    peak_memory_bytes=COUNTS,
    trainable_parameters=COUNTS,
    parameters=COUNTS,
    losses=st.lists(st.tuples(COUNTS, FINITE), max_size=3).map(tuple),
)
CIRCUMSTANCES = st.builds(
    Provenance,
    versions=st.dictionaries(NAMES, WORDS, max_size=2),
    python=WORDS,
    platform=WORDS,
    cpu_count=COUNTS,
    memory_bytes=COUNTS,
    device=WORDS,
    git_commit=st.none() | WORDS,
    git_dirty=st.none() | st.booleans(),
    created=WORDS,
)
RECORDS = st.builds(
    Record,
    schema_version=st.just(SCHEMA_VERSION),
    study=NAMES,
    cell=NAMES,
    model=NAMES,
    method=NAMES,
    rank=st.none() | COUNTS,
    trained_on=st.none() | NAMES,
    task=NAMES,
    kind=NAMES,
    seed=st.none() | COUNTS,
    key=st.none() | WORDS,
    metrics=st.dictionaries(NAMES, st.none() | FINITE, max_size=3),
    lines=st.lists(LINES, max_size=3).map(tuple),
    left_out=st.dictionaries(WORDS, COUNTS, max_size=2),
    stages=st.none() | st.builds(Stages, **dict.fromkeys(Stages.model_fields, FINITE)),
    peak_memory_bytes=st.none() | COUNTS,
    cost=st.none() | COSTS,
    protocol=st.dictionaries(NAMES, st.none() | COUNTS | WORDS, max_size=3),
    provenance=st.none() | CIRCUMSTANCES,
    error=st.none() | WORDS,
)


def line(tokens: int, seconds: float | None) -> Line:
    return made_line(tokens=tokens, seconds=seconds)


def record(cell: str = "m-base-for-arc", lines: tuple[Line, ...] = ()) -> Record:
    return made_record(cell=cell, lines=lines)


@given(made=RECORDS)
def test_round_trip(made: Record, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any record is read back as it was written."""
    folder = tmp_path_factory.getbasetemp() / "round-trip"
    assert read(write(made, folder)) == made


def test_written_under_the_cells_name(tmp_path: Path) -> None:
    """A record's file is called after its cell, replaces an older one, and nothing else is left behind."""
    write(record(), tmp_path / "new")
    path = write(record(lines=(line(1, None),)), tmp_path / "new")
    assert path == tmp_path / "new" / "m-base-for-arc.json"
    rows = path.parent / json.loads(path.read_text())["rows"]
    assert sorted(path.parent.iterdir()) == sorted([path, rows])
    assert len(read(path).lines) == 1


def test_writing_again_leaves_other_cells_rows_alone(tmp_path: Path) -> None:
    """Only the rows of the very cell are replaced, not those of one whose name begins alike."""
    other = write(record("m-base-for-arc.more", (line(1, None),)), tmp_path)
    write(record("m-base-for-arc", (line(2, None),)), tmp_path)
    write(record("m-base-for-arc", (line(3, None),)), tmp_path)
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    assert [one.tokens for one in read(other).lines] == [1]


def test_another_runs_rows_are_left_alone(tmp_path: Path) -> None:
    """Rows that another run has just written for the same cell are its record's; those that are replaced go."""
    write(record(lines=(line(1, None),)), tmp_path)
    old = next(tmp_path.glob("*.parquet"))
    other = tmp_path / "m-base-for-arc.0123456789ab.parquet"
    other.write_bytes(b"another's")
    path = write(record(lines=(line(2, None),)), tmp_path)
    assert other.exists()
    assert not old.exists()
    assert [one.tokens for one in read(path).lines] == [2]


def test_rows_can_be_read_by_column(tmp_path: Path) -> None:
    """A record's head carries its summary, and single columns of its rows can be read."""
    head, rows = read_head(write(record(lines=(line(2, 1.0), line(7, None))), tmp_path))
    assert head.lines == ()
    assert head.summary is not None
    assert head.summary.tokens == 4.5
    assert rows is not None
    assert read_rows(rows, ["tokens"])["tokens"].to_pylist() == [2, 7]


@pytest.mark.parametrize(
    "change", [{"metrics": {"accuracy": 1.0}}, {"rows": None}, {"key": "other"}, {"summary": None}, {"digest": "0"}]
)
def test_a_changed_record_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    """A record that was edited into another valid one is refused by its own hash."""
    path = write(record(lines=(line(1, None),)), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecordError, match=r"^record [^\n]* was changed after it was written; measure it again$"):
        read(path)


def test_a_record_from_before_hashes_is_read(tmp_path: Path) -> None:
    """A record without a hash of its own, as earlier versions wrote it, is read as it stands."""
    path = write(record(lines=(line(1, None),)), tmp_path)
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps(content))
    assert len(read(path).lines) == 1


@pytest.mark.parametrize("where", ["../secret.parquet", "/etc/passwd", "folder/rows.parquet", "link.parquet", ".."])
def test_rows_lie_beside_their_record(tmp_path: Path, where: str) -> None:
    """A record that names rows elsewhere, by a path or through a link, is refused before they are opened."""
    path = write(record(), tmp_path / "s")
    (tmp_path / "secret.parquet").touch()
    (path.parent / "link.parquet").symlink_to(tmp_path / "secret.parquet")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": where}))
    with pytest.raises(RecordError, match=r"^record [^\n]*rows: not a file beside the record$"):
        read(path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    """A record of another schema is refused with both numbers and what to do."""
    path = write(record(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 1}))
    with pytest.raises(RecordError) as caught:
        read(path)
    assert str(caught.value) == f"record {path} has schema 1, this version reads 3; measure it again"


def test_damaged_records_are_refused(tmp_path: Path) -> None:
    """What is not a whole record is refused in one line that names the file."""
    path = write(record(), tmp_path)
    whole = path.read_text()
    for damaged in ("", whole[:40], "[]", "null", json.dumps(json.loads(whole) | {"rows": 3})):
        path.write_text(damaged)
        with pytest.raises(RecordError, match=path.name) as caught:
            read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("change", "key"), [({"more": 1}, "more"), ({"task": None}, "task")])
def test_wrong_fields_are_named(tmp_path: Path, change: dict[str, object], key: str) -> None:
    """A field that is unknown or of the wrong kind is named."""
    path = write(record(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecordError, match=f"record {path}: {key}: "):
        read(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is a record error too."""
    with pytest.raises(RecordError, match="cannot be read"):
        read(tmp_path / "none.json")


def test_read_all_in_order_of_name(tmp_path: Path) -> None:
    """A folder's records come in order of their cells' names."""
    for cell in ("b", "c", "a"):
        write(record(cell), tmp_path)
    assert [one.cell for one in read_all(tmp_path)] == ["a", "b", "c"]


def test_read_all_of_nothing_is_refused(tmp_path: Path) -> None:
    """A folder without records, there or not, is an error that says what to do."""
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(RecordError, match="holds no records: run pytest benchmarks first"):
            read_all(folder)
