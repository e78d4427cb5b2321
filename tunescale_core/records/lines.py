"""A cell's lines, one an example, and the Parquet file that holds them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from tunescale_core.errors import RecordError
from tunescale_core.store.files import sha256_of

if TYPE_CHECKING:
    import pyarrow as pa

SCORE = "score."
"""What the Parquet columns of a line's scores begin with."""
ROWS_SUFFIX = re.compile(r"\.([0-9a-f]{12})\.parquet")
"""What the name of a file of lines ends with: the beginning of its content's SHA-256."""


class Line(BaseModel):
    """One example of a cell: what was said, how long it took, what it is worth."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    example: str
    """The example's id in its data."""
    group: str = ""
    """What it shares with others, as questions on one passage do; "" where nothing."""
    prompt: str = ""
    """The user's message."""
    gold: tuple[str, ...]
    text: str
    answer: str | None
    """The parsed answer; "" abstains, None could not be read."""
    tokens: int
    finish: str
    reasoning_tokens: int
    seconds: float | None
    """None where the example went through the batched pass."""
    first_token_seconds: float | None
    device_seconds: float | None = None
    """The call by the accelerator's own clock; None on a CPU."""
    prompt_tokens: int | None = None
    prompt_cut: int = 0
    """Tokens that an over-long prompt lost from its middle."""
    scores: dict[str, float]
    """What it contributes to each metric of its task; NaN where it does not count."""


def read_rows(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a record's rows, or some columns of them, without making a `Line` of each.

    Raises:
        RecordError: The file is missing or not what it is called after, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        named = ROWS_SUFFIX.search(path.name)
        if named and not sha256_of(path).startswith(named[1]):
            raise RecordError(f"rows {path} are not what was written; measure it again")
        return pq.read_table(path, columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise RecordError(f"rows {path} cannot be read: {' '.join(str(error).split())}; measure it again") from error


def parquet_of(lines: Sequence[Line]) -> bytes:
    """Return what a Parquet file of the lines holds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table_of(lines), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def table_of(lines: Sequence[Line]) -> pa.Table:
    """Return lines as the columns that a Parquet file of them has."""
    import pyarrow as pa

    scores = sorted({name for line in lines for name in line.scores})
    columns = [
        *((name, _arrow_type(name), [getattr(line, name) for line in lines]) for name in _plain_fields()),
        *((SCORE + name, pa.float64(), [line.scores.get(name) for line in lines]) for name in scores),
    ]
    return pa.table({name: pa.array(values, kind) for name, kind, values in columns})


def _plain_fields() -> tuple[str, ...]:
    return tuple(name for name in Line.model_fields if name != "scores")


def _arrow_type(field: str) -> pa.DataType:
    import pyarrow as pa

    if field == "gold":
        return pa.list_(pa.string())
    if field.endswith("tokens") or field == "prompt_cut":
        return pa.int64()
    return pa.float64() if field.endswith("seconds") else pa.string()


def read_lines(path: Path) -> tuple[Line, ...]:
    """Read the lines of a Parquet file.

    Raises:
        RecordError: It is missing, not what it is called after, or holds something else.
    """
    rows = read_rows(path).to_pylist()
    try:
        return tuple(Line.model_validate(_unflattened(row)) for row in rows)
    except ValidationError as error:
        fault = error.errors()[0]
        raise RecordError(f"rows {path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error


def _unflattened(row: dict[str, object]) -> dict[str, object]:
    plain = {name: value for name, value in row.items() if not name.startswith(SCORE)}
    scores = {name.removeprefix(SCORE): value for name, value in row.items() if name.startswith(SCORE)}
    return plain | {"scores": {name: value for name, value in scores.items() if value is not None}}
