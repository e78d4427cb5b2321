"""Records to and from disk."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tunescale_core.checkpoints import TrainingCost
from tunescale_core.errors import RecordError
from tunescale_core.provenance import Provenance
from tunescale_core.records import Line, Record, Stages, read, read_all, write

FINITE = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**40)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,30}", fullmatch=True)
LINES = st.builds(
    Line,
    example=WORDS,
    gold=st.lists(WORDS, max_size=3).map(tuple),
    text=WORDS,
    answer=st.none() | WORDS,
    tokens=COUNTS,
    finish=st.sampled_from(["stop", "length"]),
    reasoning_tokens=COUNTS,
    seconds=st.none() | FINITE,
    first_token_seconds=st.none() | FINITE,
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
    schema_version=st.just(1),
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
    left_out=COUNTS,
    stages=st.none() | st.builds(Stages, prepare=FINITE, generate=FINITE, batch=FINITE, score=FINITE, total=FINITE),
    peak_memory_bytes=st.none() | COUNTS,
    cost=st.none() | COSTS,
    protocol=st.dictionaries(NAMES, st.none() | COUNTS | WORDS, max_size=3),
    provenance=st.none() | CIRCUMSTANCES,
    error=st.none() | WORDS,
)


def line(tokens: int, seconds: float | None) -> Line:
    return Line(
        example="1",
        gold=("A",),
        text="\\boxed{A}",
        answer="A",
        tokens=tokens,
        finish="stop",
        reasoning_tokens=0,
        seconds=seconds,
        first_token_seconds=None,
        scores={"accuracy": 1.0},
    )


def record(cell: str = "m-base-for-arc", lines: tuple[Line, ...] = ()) -> Record:
    return Record(
        study="s",
        cell=cell,
        model="m",
        method="base",
        rank=None,
        trained_on=None,
        task="arc",
        kind="arc",
        seed=None,
        key=None,
        lines=lines,
    )


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
    assert list(path.parent.iterdir()) == [path]
    assert len(read(path).lines) == 1


def test_another_schema_is_refused(tmp_path: Path) -> None:
    """A record of another schema is refused with both numbers and what to do."""
    path = write(record(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    with pytest.raises(RecordError) as caught:
        read(path)
    assert str(caught.value) == f"record {path} has schema 2, this version reads 1; measure it again"


def test_damaged_records_are_refused(tmp_path: Path) -> None:
    """What is not a whole record is refused in one line that names the file."""
    path = write(record(), tmp_path)
    whole = path.read_text()
    for damaged in ("", whole[:40], "[]", "null", json.dumps(json.loads(whole) | {"lines": 3})):
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


def test_mean_latency_counts_timed_lines_alone() -> None:
    """Mean latency is over the timed examples, and missing where there is none."""
    assert record(lines=(line(1, 1.0), line(1, None), line(1, 2.0))).mean_latency == pytest.approx(1.5)
    assert record(lines=(line(1, None),)).mean_latency is None
    assert record().mean_latency is None


def test_mean_tokens_counts_every_line() -> None:
    """Mean tokens are over all examples, timed or not, and missing where there is none."""
    assert record(lines=(line(2, 1.0), line(7, None))).mean_tokens == pytest.approx(4.5)
    assert record().mean_tokens is None


def test_records_are_frozen() -> None:
    """A record cannot be changed after it was made."""
    made = record()
    with pytest.raises(ValidationError, match="frozen"):
        made.study = "t"  # type: ignore[misc]
